import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { open, rename, rmdir, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isAbort } from '../runtime/errors.ts';
import type { CommitId } from '../schemas/values.ts';
import { objectFormatOf } from './commit-id.ts';
import { checkEntries, isPointer } from './content.ts';
import { whyNotByDiff } from './diff-guards.ts';
import { failure } from './errors.ts';
import { withPlainUmask } from './process.ts';
import { dropProof, writeHead } from './proof.ts';
import type { Repository } from './repository.ts';
import { sweepWorkTree } from './sweep.ts';
import { type DiffEntry, readDiff } from './tree.ts';
import type { WorkTree } from './work-tree.ts';

/**
 * Turns a work tree that was proved to be `from` into `to` by writing only what differs, so that the cost is that of
 * the change and not of the repository. Every blob is hashed before it is written, every file appears by rename, and
 * the index is brought along from the files on disk, which hashes them once more; prove-diff compares that index with
 * the commit.
 *
 * False, with nothing touched, where git's own checkout is to do it: any entry that is not a plain file, any doubt.
 */
export async function applyDiff(
  repository: Repository,
  tree: WorkTree,
  from: CommitId,
  to: CommitId,
  signal: AbortSignal,
): Promise<boolean> {
  const diff = await readDiff(repository, from, to, signal).catch((error: unknown) => {
    if (isAbort(error)) throw error;
    return null; // The old commit may be gone from the store; that is no failure of the new one.
  });
  const why = diff === null ? 'the difference cannot be read' : whyNotByDiff(diff, repository.rules);
  const blobs = diff === null || why !== null ? null : await readBlobs(repository, diff, to);
  if (diff === null || blobs === null) {
    repository.log.debug({ from, to, why: why ?? 'its blobs want a closer look' }, 'a full checkout is needed');
    return false;
  }
  signal.throwIfAborted();
  await dropProof(tree);
  await repository.failpoint('spare.dirty');
  await sweepWorkTree(tree.admin);
  await writeAll(repository, tree, diff, blobs, signal);
  await removeAll(tree, diff);
  await repository.failpoint('spare.all-written');
  await writeHead(tree, to);
  await repository.failpoint('spare.head-moved');
  const paths = diff.map(({ path }) => `${path}\0`).join('');
  const call = { gitDir: tree.admin, workTree: tree.directory, input: paths, signal };
  await repository.git.tell(['update-index', '--add', '--remove', '-z', '--stdin'], call);
  await repository.failpoint('spare.index-repaired');
  return true;
}

/** True when the index, which holds the hashes of what is on disk, is the tree of the commit. */
export async function indexIsCommit(
  repository: Repository,
  tree: WorkTree,
  commitId: CommitId,
  signal: AbortSignal,
): Promise<boolean> {
  const args = ['diff-index', '--cached', '--quiet', '--ignore-submodules=all', commitId, '--'];
  return (await repository.git.ask(args, { gitDir: tree.admin, workTree: tree.directory, signal })).exitCode === 0;
}

const MOST_BYTES = 64 * 1024 ** 2;

/** The content of what is new, by id; null where it is too much to hold, or could be an LFS pointer. */
async function readBlobs(
  repository: Repository,
  diff: readonly DiffEntry[],
  to: CommitId,
): Promise<Map<string, Buffer> | null> {
  const kept = diff.filter(({ status }) => status !== 'D').map(({ to: side, path }) => ({ ...side, path }));
  const sizes = await Promise.all(kept.map(({ id }) => repository.sizes.read(id)));
  const entries = kept.map((entry, at) => ({ ...entry, size: sizes[at]?.size ?? null }));
  await checkEntries(repository, entries);
  if (entries.reduce((sum, { size }) => sum + (size ?? 0), 0) > MOST_BYTES) return null;
  const found = await Promise.all(entries.map(({ id }) => repository.reader.read(id)));
  const blobs = new Map<string, Buffer>();
  for (const [at, { id, path }] of entries.entries()) {
    const content = found[at]?.content;
    if (content === undefined || hashOf(content, to) !== id) throw tampered(path, id);
    if (repository.rules.lfs === 'refuse' && isPointer(content)) return null;
    blobs.set(id, content);
  }
  return blobs;
}

function hashOf(content: Buffer, like: CommitId): string {
  return createHash(objectFormatOf(like)).update(`blob ${content.length}\0`).update(content).digest('hex');
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
  withPlainUmask(() => parents.forEach((parent) => mkdirSync(parent, { recursive: true, mode: 0o755 })));
  for (let at = 0; at < written.length; at += AT_ONCE) {
    signal.throwIfAborted();
    await Promise.all(
      written.slice(at, at + AT_ONCE).map(({ path, to }, offset) => {
        const file = join(tree.directory, path);
        const aside = join(dirname(file), `.gitfleet-${at + offset}.new`);
        return writeFile(file, aside, blobs.get(to.id) as Buffer, to.mode === '100755' ? 0o755 : 0o644);
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

function tampered(path: string, id: string) {
  const hint = 'the object store of this app is damaged; the agent makes a new one beside it and goes on serving';
  return failure('STORE_BROKEN', 'retry', `object ${id} of ${JSON.stringify(path)} is not what its name says`, hint);
}
