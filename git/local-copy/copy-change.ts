import type { CommitId, RepositoryUrl } from '../../schemas/values.ts';
import type { ContentRules } from '../objects/content.ts';
import { type Difference, readDifference } from '../objects/difference.ts';
import type { FoundObject, ObjectReader } from '../objects/object-reader.ts';
import { isPinned, type Repository } from '../repository/repository.ts';
import { objectFormatOf } from '../run/commit-id.ts';
import { keepPack } from './keep-pack.ts';
import { readLoose } from './loose-object.ts';
import { createOriginDirectories } from './origin-directory.ts';
import { packOf } from './pack-writer.ts';
import { isPlainObject, isPlainPath } from './plain-objects.ts';

/**
 * This room is for one case: the origin is a directory of the agent's own user on a local disk, and a push has just
 * left a small plain change there as loose objects. It is a shortcut around `git fetch`, never a second way to fetch: a
 * network, a packed origin, a directory of another user and every doubt are left to git.
 *
 * `base` is a commit that is complete here, as its pin says. The differences from it are read from the origin's loose
 * objects and become a pack of our own. Each object is hashed, and the walk down from the commit shows that none is
 * missing. Null: the change is left to git (already packed, too large, an odd name, a symlink), and nothing was
 * written. Call it only within the store's writing turn.
 */
export function createLocalCopy(repository: Repository, rules: ContentRules, maxBytes: number) {
  const directoryOf = createOriginDirectories(repository.clock);
  /** Commit and trees of the last copied change, by id: the next change often needs the same ones. */
  const last = new Map<string, FoundObject>();
  const older: ObjectReader = { read: async (id) => last.get(id) ?? repository.reader.read(id), close() {} };

  return async (
    { url, commitId }: { readonly url: RepositoryUrl; readonly commitId: CommitId },
    base: CommitId,
    signal: AbortSignal,
  ): Promise<Difference | null> => {
    const objects = base.length === commitId.length ? await directoryOf(url) : null;
    if (objects === null || !(await isPinned(repository, base))) return null;
    const taken = new Map<string, FoundObject>();
    const newer = takingFrom(repository, objects, taken, Math.min(maxBytes, MAX_BYTES));
    const source = { reader: older, sizes: repository.sizes, rules, log: repository.log };
    const difference = await readDifference(source, base, commitId, { reader: newer, sizes: newer }).catch(
      (error: unknown) => {
        repository.log.debug({ error }, 'the change is left to git');
        return null;
      },
    );
    const commit = taken.get(commitId);
    if (difference?.byGit !== null || commit === undefined) return null;
    if (!difference.diff.every(({ path }) => isPlainPath(path))) return null;
    const all = [...taken.values()];
    if (!all.every((object) => isPlainObject(object, commitId.length / 2))) return null;
    signal.throwIfAborted();
    await keepPack(repository, commitId, packOf(all, objectFormatOf(commitId)), hasParent(commit));
    last.clear();
    for (const object of all.filter(({ type }) => type !== 'blob')) last.set(object.id, object);
    return difference;
  };
}

/** Reading, hashing and judging this much blocks the event loop for a few hundredths of a second at most. */
const MAX_BYTES = 256 * 1024;
const MAX_READS = 400;

/** Reads the origin first, which has what is new, then the store, which has what the commit shares with others. */
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

/**
 * Git knows the empty tree without storing it, so it would never reach the store, and the directory's name would go
 * unjudged.
 */
const withoutEmptyTree = (found: FoundObject | null) => (found?.type === 'tree' && found.size === 0 ? null : found);

const hasParent = ({ content }: FoundObject): boolean => /^tree [0-9a-f]+\nparent /.test(content.toString('latin1'));
