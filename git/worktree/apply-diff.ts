import { mkdirSync } from 'node:fs';
import { lstat, open, readFile, readlink, rename, rmdir, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { syncDirectory } from '../../runtime/durable-file.ts';
import type { Difference } from '../objects/difference.ts';
import { SYMLINK } from '../objects/tree.ts';
import { type DiffEntry, hashOf } from '../objects/tree-diff.ts';
import type { Repository } from '../repository/repository.ts';
import type { GitFailpoint } from '../run/failpoints.ts';
import { withPlainUmask } from '../run/process.ts';
import { noteIndexBehind } from './index-catch-up.ts';
import { dropProof, writeHead } from './proof.ts';
import type { WorkTree } from './work-tree.ts';

/**
 * Turns a work tree that was proved to be `from` into `to` by writing only what differs, so the cost depends on the
 * change and not on the repository. Every file is fsynced and appears by rename; `notAsWritten` reads them back. The
 * index is updated later (index-catch-up.ts).
 */
export async function applyDiff(
  { failpoint }: Pick<Repository, 'failpoint'>,
  tree: WorkTree,
  { diff, blobs, to }: Difference,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  await Promise.all([dropProof(tree), noteIndexBehind(tree, diff)]);
  await failpoint('spare.dirty');
  await writeAll(failpoint, tree, diff, blobs, signal);
  await removeAll(tree, diff);
  await syncParents(tree, diff);
  await failpoint('spare.all-written');
  await writeHead(tree, to);
  await failpoint('spare.head-moved');
}

/**
 * Reads back from disk what was written. @returns the paths whose bytes or mode are not the commit's, or that still
 * exist.
 */
export async function notAsWritten(tree: WorkTree, { diff }: Difference): Promise<string[]> {
  const right = await Promise.all(
    diff.map(async ({ path, status, to }) => {
      const file = join(tree.directory, path);
      const stat = await lstat(file).catch(() => null);
      if (status === 'D') return stat === null;
      if (to.mode === SYMLINK) {
        return stat?.isSymbolicLink() && hashOf('blob', await readlink(file, 'buffer'), to.id) === to.id;
      }
      if (!stat?.isFile() || (stat.mode & 0o7777) !== modeOf(to.mode)) return false;
      return hashOf('blob', await readFile(file), to.id) === to.id;
    }),
  );
  return diff.flatMap(({ path }, at) => (right[at] ? [] : [path]));
}

const modeOf = (mode: string) => (mode === '100755' ? 0o755 : 0o644);

const AT_ONCE = 8;

async function writeAll(
  failpoint: GitFailpoint,
  tree: WorkTree,
  diff: readonly DiffEntry[],
  blobs: ReadonlyMap<string, Buffer>,
  signal: AbortSignal,
): Promise<void> {
  const written = diff.filter(({ status }) => status !== 'D');
  // Synchronous, so that the modes of new directories do not depend on the umask.
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
    if (at === 0) await failpoint('spare.some-written');
  }
}

/**
 * Fsyncs what git's checkout wrote of a difference, so that it survives a power loss; applyDiff's own files already do.
 */
export async function flushDifference(tree: WorkTree, { diff }: Difference): Promise<void> {
  await Promise.all(
    diff
      .filter(({ status, to }) => status !== 'D' && to.mode !== SYMLINK)
      .map(async ({ path }) => {
        const handle = await open(join(tree.directory, path), 'r');
        await handle.datasync().finally(() => handle.close());
      }),
  );
  await syncParents(tree, diff);
}

/** By rename, so that a process with the old file open keeps reading the old content. */
async function writeFile(file: string, aside: string, content: Buffer, mode: number): Promise<void> {
  const handle = await open(aside, 'wx', mode);
  try {
    await handle.writeFile(content);
    await handle.chmod(mode);
    await handle.datasync();
  } catch (error) {
    await unlink(aside).catch(() => {}); // On a full disk, half a file must not take the last space.
    throw error;
  } finally {
    await handle.close();
  }
  await rename(aside, file);
}

/** Deletes removed files, and directories that become empty, as git would. */
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

/** Makes renames and removals durable too. A directory that was removed with its last file needs nothing. */
async function syncParents(tree: WorkTree, diff: readonly DiffEntry[]): Promise<void> {
  const parents = new Set(diff.map(({ path }) => dirname(join(tree.directory, path))));
  const gone = (error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  };
  await Promise.all([...parents].map((parent) => syncDirectory(parent).catch(gone)));
}
