import type { CommitId } from '../../schemas/values.ts';
import type { Repository } from '../repository/repository.ts';
import { checkEntries, isPointer } from './content.ts';
import { MAX_ENTRIES, wayOf } from './diff-guards.ts';
import type { ObjectReader } from './object-reader.ts';
import { checkedObject, type DiffEntry, diffTrees } from './tree-diff.ts';

/** What turns one commit into another, judged and read, but not yet written. */
export interface Difference {
  readonly from: CommitId;
  readonly to: CommitId;
  readonly diff: readonly DiffEntry[];
  /** Content of what is new, by id. */
  readonly blobs: ReadonlyMap<string, Buffer>;
  /** Null: the diff engine may write it. Else why git's own checkout is to. */
  readonly byGit: string | null;
}

/**
 * Asks the objects what differs, and judges it as content.ts judges a whole commit; every object is hashed. Touches
 * nothing. Null where only a look at all of the commit can tell: much differs, nobody knows, or a doubt about what it means.
 * @param newer where the objects of `to` are read, if not in the store.
 */
export async function readDifference(
  repository: Repository,
  from: CommitId,
  to: CommitId,
  newer?: ObjectReader,
): Promise<Difference | null> {
  const { reader = repository.reader, sizes = repository.sizes } = newer ? { reader: newer, sizes: newer } : {};
  // The old commit may be gone from the store; that is no failure of the new one.
  const known = (await repository.reader.read(from)) !== null;
  const diff = known ? await diffTrees(repository, from, to, MAX_ENTRIES, reader) : null;
  const way = diff === null ? null : wayOf(diff, repository.rules);
  const readable = diff !== null && way?.by !== 'git after a look at all';
  const blobs = readable ? await readBlobs({ ...repository, reader, sizes }, diff) : null;
  if (!readable || blobs === null) {
    const why = way && 'why' in way ? way.why : 'too much differs, or nobody knows, or its blobs want a closer look';
    repository.log.debug({ from, to, why }, 'all of the commit is looked at');
    return null;
  }
  const byGit = repository.diffEngine ? null : 'the diff engine is off';
  return { from, to, diff, blobs, byGit: way && 'why' in way ? way.why : byGit };
}

const MAX_BYTES = 64 * 1024 ** 2;

/** The content of what is new, by id; null where it is too much to hold, or could be an LFS pointer. */
async function readBlobs(repository: Repository, diff: readonly DiffEntry[]): Promise<Map<string, Buffer> | null> {
  const kept = diff.filter(({ status }) => status !== 'D').map(({ to: side, path }) => ({ ...side, path }));
  const sizes = await Promise.all(kept.map(({ id }) => repository.sizes.read(id)));
  const entries = kept.map((entry, at) => ({ ...entry, size: sizes[at]?.size ?? null }));
  await checkEntries(repository, entries);
  if (entries.reduce((sum, { size }) => sum + (size ?? 0), 0) > MAX_BYTES) return null;
  const found = await Promise.all(entries.map(({ id }) => repository.reader.read(id)));
  const blobs = new Map<string, Buffer>();
  for (const [at, { id, path }] of entries.entries()) {
    const { content } = checkedObject(found[at] ?? null, id, 'blob', path);
    if (repository.rules.lfs === 'refuse' && isPointer(content)) return null;
    blobs.set(id, content);
  }
  return blobs;
}
