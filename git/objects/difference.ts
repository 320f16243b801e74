import type { Logger } from '../../runtime/log.ts';
import type { CommitId } from '../../schemas/values.ts';
import { type ContentRules, checkEntries, isPointer } from './content.ts';
import { folded, nameProblem } from './hostile-names.ts';
import type { ObjectSource } from './object-reader.ts';
import { SYMLINK } from './tree.ts';
import { checkedObject, type DiffEntry, diffTrees } from './tree-diff.ts';

/** What turns one commit into another: read and judged, but not yet written. */
export interface Difference {
  readonly from: CommitId;
  readonly to: CommitId;
  readonly diff: readonly DiffEntry[];
  /** The content of new and changed files, by id. */
  readonly blobs: ReadonlyMap<string, Buffer>;
  /** Null: our own code may write it. Otherwise the reason why git's checkout has to. */
  readonly byGit: string | null;
}

type Readers = Pick<ObjectSource, 'reader' | 'sizes'>;

/**
 * Reads the difference between two commits, and judges it as content.ts judges a whole commit; every object is hashed.
 * Writes nothing. Null if the whole commit has to be judged: too much differs, the old commit is unknown, or the
 * difference may affect entries that are not part of it.
 * @param newer the source of the objects of `to`, if not the store.
 */
export async function readDifference(
  source: Readers & { readonly rules: ContentRules; readonly log: Logger },
  from: CommitId,
  to: CommitId,
  newer: Readers = source,
): Promise<Difference | null> {
  const { rules, log, reader } = source;
  // The old commit may have left the store; the new one is not at fault.
  const known = (await reader.read(from)) !== null;
  const diff = known ? await diffTrees(reader, newer.reader, from, to, MAX_ENTRIES) : null;
  const way = diff === null ? null : wayOf(diff, rules);
  const readable = diff !== null && way?.by !== 'git after a look at all';
  const blobs = readable ? await readBlobs(newer, rules, diff) : null;
  const why = way && 'why' in way ? way.why : null;
  if (!readable || blobs === null) {
    const reason = why ?? 'too much differs, the old commit is unknown, or a blob may be an LFS pointer';
    log.debug({ from, to, why: reason }, 'all of the commit is looked at');
    return null;
  }
  return { from, to, diff, blobs, byGit: why };
}

const MAX_ENTRIES = 200;

/** Who writes a difference: we, file by file; git, into the same tree; or git, once the whole commit was judged. */
type DiffWay = { readonly by: 'us' } | { readonly by: 'git' | 'git after a look at all'; readonly why: string };

/**
 * Pure: how a difference gets into a tree that is proved to be the other commit. We add, change and remove plain files.
 * Symlinks are left to git. A change that may affect other entries, or that only the full list of names can judge,
 * makes git check out the whole commit.
 */
export function wayOf(diff: readonly DiffEntry[], rules: ContentRules): DiffWay {
  const whole = (why: string): DiffWay => ({ by: 'git after a look at all', why });
  const paths = new Set<string>();
  let odd: string | null = null;
  for (const { from, to, status, path } of diff) {
    const modes = status === 'A' ? [to.mode] : status === 'D' ? [from.mode] : [from.mode, to.mode];
    if (modes.some((mode) => !KNOWN.test(mode))) return whole(`${path} is no file and no symlink`);
    if (path.includes('\ufffd') || nameProblem(path, rules)) return whole(`${path} has an odd name`);
    // New attributes may turn unchanged files into LFS pointers.
    if (/(^|\/)\.gitattributes$/.test(path)) return whole('attributes change');
    if (modes.includes(SYMLINK)) odd ??= `${path} is no plain file`;
    paths.add(folded(path));
  }
  if (paths.size < diff.length) return whole('names differ only in case');
  for (const path of paths) {
    for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) {
      if (paths.has(path.slice(0, at))) return whole('a file and a directory change places');
    }
  }
  return odd === null ? { by: 'us' } : { by: 'git', why: odd };
}

const KNOWN = /^(100644|100755|120000)$/;

const MAX_BYTES = 64 * 1024 ** 2;

/** The content of new and changed files, by id; null if it is too much to hold, or one could be an LFS pointer. */
async function readBlobs(
  { reader, sizes: sizeReader }: Readers,
  rules: ContentRules,
  diff: readonly DiffEntry[],
): Promise<Map<string, Buffer> | null> {
  const kept = diff.filter(({ status }) => status !== 'D').map(({ to: side, path }) => ({ ...side, path }));
  const sizes = await Promise.all(kept.map(({ id }) => sizeReader.read(id)));
  const entries = kept.map((entry, at) => ({ ...entry, size: sizes[at]?.size ?? null }));
  await checkEntries(reader, rules, entries);
  if (entries.reduce((sum, { size }) => sum + (size ?? 0), 0) > MAX_BYTES) return null;
  const found = await Promise.all(entries.map(({ id }) => reader.read(id)));
  const blobs = new Map<string, Buffer>();
  for (const [at, { id, path }] of entries.entries()) {
    const { content } = checkedObject(found[at] ?? null, id, 'blob', path);
    if (rules.lfs === 'refuse' && isPointer(content)) return null;
    blobs.set(id, content);
  }
  return blobs;
}
