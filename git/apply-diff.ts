import { mkdirSync } from 'node:fs';
import { lstat, open, readFile, rename, rmdir, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { syncDirectory } from '../runtime/durable-file.ts';
import type { CommitId } from '../schemas/values.ts';
import { checkEntries, isPointer } from './content.ts';
import { MOST_ENTRIES, whyNotByDiff } from './diff-guards.ts';
import { indexCaughtUp, noteIndexBehind } from './index-catch-up.ts';
import { withPlainUmask } from './process.ts';
import { dropProof, writeHead } from './proof.ts';
import type { Repository } from './repository.ts';
import { checkedObject, type DiffEntry, diffTrees, hashOf } from './tree-diff.ts';
import type { WorkTree } from './work-tree.ts';

/** What was written, to be proved. */
export interface Written {
  readonly commitId: CommitId;
  readonly diff: readonly DiffEntry[];
}

/**
 * Turns a work tree that was proved to be `from` into `to` by writing only what differs, so that the cost is that of
 * the change and not of the repository. Every blob is hashed before it is written, every file is fsynced and appears by
 * rename; `wronglyWritten` reads all of them again. The index follows later (index-catch-up.ts).
 *
 * Null, with nothing touched, where git's own checkout is to do it: any entry that is not a plain file, any doubt.
 */
export async function applyDiff(
  repository: Repository,
  tree: WorkTree,
  from: CommitId,
  to: CommitId,
  signal: AbortSignal,
): Promise<Written | null> {
  const ready = await indexCaughtUp(repository, tree).then(
    () => true,
    () => false,
  );
  // The old commit may be gone from the store; that is no failure of the new one.
  const known = ready && (await repository.reader.read(from)) !== null;
  const diff = known ? await diffTrees(repository, from, to, MOST_ENTRIES) : null;
  const why = diff === null ? 'too much differs, or nobody knows' : whyNotByDiff(diff, repository.rules);
  const blobs = diff === null || why !== null ? null : await readBlobs(repository, diff);
  if (diff === null || blobs === null) {
    repository.log.debug({ from, to, why: why ?? 'its blobs want a closer look' }, 'a full checkout is needed');
    return null;
  }
  signal.throwIfAborted();
  await Promise.all([dropProof(tree), noteIndexBehind(tree, diff)]);
  await repository.failpoint('spare.dirty');
  await writeAll(repository, tree, diff, blobs, signal);
  await removeAll(tree, diff);
  await syncParents(tree, diff);
  await repository.failpoint('spare.all-written');
  await writeHead(tree, to);
  await repository.failpoint('spare.head-moved');
  return { commitId: to, diff };
}

/** Reads back from disk what was written; the paths that have not the bytes or the mode of the commit, or are not gone. */
export async function wronglyWritten(tree: WorkTree, { diff }: Written): Promise<string[]> {
  const right = await Promise.all(
    diff.map(async ({ path, status, to }) => {
      const file = join(tree.directory, path);
      const stat = await lstat(file).catch(() => null);
      if (status === 'D') return stat === null;
      if (!stat?.isFile() || (stat.mode & 0o7777) !== modeOf(to.mode)) return false;
      return hashOf('blob', await readFile(file), to.id) === to.id;
    }),
  );
  return diff.flatMap(({ path }, at) => (right[at] ? [] : [path]));
}

const modeOf = (mode: string) => (mode === '100755' ? 0o755 : 0o644);

const MOST_BYTES = 64 * 1024 ** 2;

/** The content of what is new, by id; null where it is too much to hold, or could be an LFS pointer. */
async function readBlobs(repository: Repository, diff: readonly DiffEntry[]): Promise<Map<string, Buffer> | null> {
  const kept = diff.filter(({ status }) => status !== 'D').map(({ to: side, path }) => ({ ...side, path }));
  const sizes = await Promise.all(kept.map(({ id }) => repository.sizes.read(id)));
  const entries = kept.map((entry, at) => ({ ...entry, size: sizes[at]?.size ?? null }));
  await checkEntries(repository, entries);
  if (entries.reduce((sum, { size }) => sum + (size ?? 0), 0) > MOST_BYTES) return null;
  const found = await Promise.all(entries.map(({ id }) => repository.reader.read(id)));
  const blobs = new Map<string, Buffer>();
  for (const [at, { id, path }] of entries.entries()) {
    const { content } = checkedObject(found[at] ?? null, id, path);
    if (repository.rules.lfs === 'refuse' && isPointer(content)) return null;
    blobs.set(id, content);
  }
  return blobs;
}

const AT_ONCE = 8;

async function writeAll(
  repository: Repository,
  tree: WorkTree,
  diff: readonly DiffEntry[],
  blobs: ReadonlyMap<string, Buffer>,
  signal: AbortSignal,
): Promise<void> {
  const written = diff.filter(({ status }) => status !== 'D');
  // Synchronous, so that the modes of new directories do not depend on the umask either.
  const parents = new Set(written.map(({ path }) => dirname(join(tree.directory, path))));
  withPlainUmask(() => {
    for (const parent of parents) mkdirSync(parent, { recursive: true, mode: 0o755 });
  });
  for (let at = 0; at < written.length; at += AT_ONCE) {
    signal.throwIfAborted();
    await Promise.all(
      written.slice(at, at + AT_ONCE).map(({ path, to }, offset) => {
        const file = join(tree.directory, path);
        const aside = join(dirname(file), `.gitfleet-${at + offset}.new`);
        return writeFile(file, aside, blobs.get(to.id) as Buffer, modeOf(to.mode));
      }),
    );
    if (at === 0) await repository.failpoint('spare.some-written');
  }
}

/** By rename, so that whoever has the old file open keeps it whole. */
async function writeFile(file: string, aside: string, content: Buffer, mode: number): Promise<void> {
  const handle = await open(aside, 'wx', mode);
  try {
    await handle.writeFile(content);
    await handle.chmod(mode);
    await handle.datasync();
  } finally {
    await handle.close();
  }
  await rename(aside, file);
}

/** Deletes what is gone, and directories that this leaves empty, as git would. */
async function removeAll(tree: WorkTree, diff: readonly DiffEntry[]): Promise<void> {
  for (const { path } of diff.filter(({ status }) => status === 'D')) {
    await unlink(join(tree.directory, path));
    for (let parent = dirname(path); parent !== '.'; parent = dirname(parent)) {
      const emptied = await rmdir(join(tree.directory, parent)).then(
        () => true,
        () => false,
      );
      if (!emptied) break;
    }
  }
}

/** The renames and removals last too; a directory that went with its last file has nothing to keep. */
async function syncParents(tree: WorkTree, diff: readonly DiffEntry[]): Promise<void> {
  const parents = new Set(diff.map(({ path }) => dirname(join(tree.directory, path))));
  const gone = (error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  };
  await Promise.all([...parents].map((parent) => syncDirectory(parent).catch(gone)));
}
