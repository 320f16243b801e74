import type { CommitId } from '../../schemas/values.ts';
import { type Difference, readDifference } from '../objects/difference.ts';
import type { FoundObject, ObjectReader } from '../objects/object-reader.ts';
import type { Repository } from '../repository/repository.ts';
import { objectFormatOf } from '../run/commit-id.ts';
import { keepPack } from './keep-pack.ts';
import { readLoose } from './loose-object.ts';
import { packOf } from './pack-writer.ts';
import { isPlainObject, isPlainPath } from './plain-objects.ts';

/** Reading, hashing and looking through so much holds the event loop for some hundredths of a second at the most. */
const MAX_BYTES = 256 * 1024;
const MAX_READS = 400;

/**
 * Brings a small change without a process, from an origin whose objects are a directory of ours on this machine: what
 * differs from `base`, a commit that a pin says to be here whole, is read from the origin's loose objects, where a push has just
 * put it, and becomes a pack of our own. Each object is hashed, and the walk from the commit down shows that none is
 * missing. Whatever is not plain (packed already, too much, an odd name, a symlink) is left to git: null, and nothing has
 * been written. Only within the store's writing turn.
 */
export async function copyChange(
  repository: Repository,
  objects: string,
  base: CommitId,
  commitId: CommitId,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Difference | null> {
  const taken = new Map<string, FoundObject>();
  const older = { ...repository, reader: remembering(repository) };
  const newer = takingFrom(repository, objects, taken, Math.min(maxBytes, MAX_BYTES));
  const difference = await readDifference(older, base, commitId, newer).catch((error: unknown) => {
    repository.log.debug({ error }, 'the change is left to git');
    return null;
  });
  const commit = taken.get(commitId);
  if (difference?.byGit !== null || commit === undefined) return null;
  if (!difference.diff.every(({ path }) => isPlainPath(path))) return null;
  const all = [...taken.values()];
  if (!all.every((object) => isPlainObject(object, commitId.length / 2))) return null;
  signal.throwIfAborted();
  await keepPack(repository, commitId, packOf(all, objectFormatOf(commitId)), hasParent(commit));
  repository.lately.clear();
  for (const object of all.filter(({ type }) => type !== 'blob')) repository.lately.set(object.id, object);
  return difference;
}

/** The origin first, since what is new is there; the store has what the commit has in common with others. */
function takingFrom(
  repository: Repository,
  objects: string,
  taken: Map<string, FoundObject>,
  maxBytes: number,
): ObjectReader {
  let left = maxBytes;
  let reads = 0;
  return {
    async read(id) {
      const before = taken.get(id);
      if (before) return before;
      const found = reads++ < MAX_READS ? readLoose(objects, id, left) : null;
      if (!found) return withoutEmptyTree(await repository.reader.read(id));
      left -= found.size;
      taken.set(id, found);
      return found;
    },
    close() {},
  };
}

/** Git knows this one without having it: nobody would bring it into the store, nor look at the name of such a directory. */
const withoutEmptyTree = (found: FoundObject | null) => (found?.type === 'tree' && found.size === 0 ? null : found);

/** What changes now often lies beside what changed last. */
const remembering = ({ lately, reader }: Repository): ObjectReader => ({
  read: async (id) => lately.get(id) ?? reader.read(id),
  close() {},
});

const hasParent = ({ content }: FoundObject): boolean => /^tree [0-9a-f]+\nparent /.test(content.toString('latin1'));
