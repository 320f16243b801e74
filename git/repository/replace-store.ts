import { cp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CommitId } from '../../schemas/values.ts';
import { createObjectReader } from '../objects/object-reader.ts';
import { checkedCommitId } from '../run/commit-id.ts';
import { exists, formatOf, makeRepository, pinned, type Repository } from './repository.ts';

/**
 * What happens when the object store itself is in doubt. A suspicion is a file beside the store, so that it survives
 * us; while it stands nothing counts as being here, so the next fetch comes by: it acquits the store, or makes a new
 * one beside it, brings the commits of the kept releases too, and swaps the directories. What is served is only files,
 * and is never touched.
 */
export async function isSuspect(repository: Repository): Promise<boolean> {
  return (await stat(markOf(repository)).catch(() => null)) !== null;
}

export async function markSuspect(repository: Repository, why: unknown): Promise<void> {
  repository.log.warn({ error: why }, 'the object store is in doubt; the next fetch looks at all of it');
  await writeFile(markOf(repository), '');
}

/** A step that objects spoiled, or a tree that is not what they should make it, may mean that they are damaged. */
export async function doubting<T>(repository: Repository, work: Promise<T>): Promise<T> {
  return work.catch(async (error: unknown) => {
    const { code } = error as { code?: unknown };
    if (code === 'STORE_BROKEN' || code === 'TREE_MISMATCH') await markSuspect(repository, error);
    throw error;
  });
}

export async function clearSuspicion(repository: Repository): Promise<void> {
  await rm(markOf(repository), { force: true });
}

/** Every object that a pinned commit needs is here; with `hashed` each is also what its name says. */
export async function isSound(repository: Repository, hashed: boolean): Promise<boolean> {
  const pins = await pinned(repository).catch(() => null);
  if (pins === null) return false;
  if (pins.length === 0 && !hashed) return true;
  const flags = ['--no-dangling', '--no-reflogs', '--no-progress', ...(hashed ? [] : ['--connectivity-only'])];
  return (await repository.git.run(['fsck', ...flags, ...pins], { gitDir: repository.directory })).exitCode === 0;
}

/**
 * Makes a store from nothing with `bring`, which fetches one commit into it, then puts it in the place of the old one.
 */
export async function replaceStore(
  repository: Repository,
  wanted: CommitId,
  bring: (fresh: Repository, commitId: CommitId) => Promise<unknown>,
): Promise<void> {
  const fresh = await emptyBeside(repository);
  try {
    await bring(fresh, wanted);
    for (const commitId of await headsOf(repository)) {
      await bring(fresh, commitId).catch((error: unknown) => {
        repository.log.warn({ commitId, error }, 'the commit of a kept release could not be fetched again');
      });
    }
  } finally {
    fresh.reader.close();
    fresh.sizes.close();
  }
  await cp(join(repository.directory, 'worktrees'), join(fresh.directory, 'worktrees'), { recursive: true }).catch(
    absent,
  );
  await rm(brokenOf(repository), { recursive: true, force: true });
  await rename(repository.directory, brokenOf(repository));
  await repository.failpoint('store.set-aside');
  await rename(fresh.directory, repository.directory);
  repository.reader.close();
  repository.sizes.close();
  await clearSuspicion(repository);
  await rm(brokenOf(repository), { recursive: true, force: true });
  repository.log.warn('the broken object store was replaced by a new one');
}

/** Start-up: there is a store afterwards, whatever moment of the above a crash hit, also one that lost its HEAD. */
export async function recoverStore(repository: Repository): Promise<void> {
  const broken = brokenOf(repository);
  if (!(await exists(repository))) {
    if (await stat(repository.directory).catch(() => null)) {
      await rm(broken, { recursive: true, force: true });
      await rename(repository.directory, broken);
    }
    if (await exists({ directory: freshOf(repository) })) await rename(freshOf(repository), repository.directory);
    else await makeRepository(repository, 'sha1');
    const kept = join(repository.directory, 'worktrees');
    if (!(await stat(kept).catch(() => null)))
      await cp(join(broken, 'worktrees'), kept, { recursive: true }).catch(absent);
  }
  for (const directory of [
    broken,
    freshOf(repository),
    `${freshOf(repository)}.making`,
    `${repository.directory}.making`,
  ]) {
    await rm(directory, { recursive: true, force: true });
  }
}

async function emptyBeside(repository: Repository): Promise<Repository> {
  const directory = freshOf(repository);
  await rm(directory, { recursive: true, force: true });
  await makeRepository(repository, await formatOf(repository).catch(() => 'sha1' as const), directory);
  const { sandbox } = repository.git;
  const reader = createObjectReader(sandbox, directory);
  return { ...repository, directory, reader, sizes: createObjectReader(sandbox, directory, 'sizes') };
}

/** The commits of the work trees that we know, the spare's included. */
async function headsOf(repository: Repository): Promise<CommitId[]> {
  const all = join(repository.directory, 'worktrees');
  const names = await readdir(all).catch(() => []);
  const heads = await Promise.all(names.map((name) => readFile(join(all, name, 'HEAD'), 'utf8').catch(() => '')));
  const sound = heads.map((head) => head.trim()).filter((head) => /^[0-9a-f]{40,64}$/.test(head));
  return [...new Set(sound)].map(checkedCommitId);
}

const markOf = (repository: Repository) => `${repository.directory}.suspect`;
const brokenOf = (repository: Repository) => `${repository.directory}.broken`;
const freshOf = (repository: Repository) => `${repository.directory}.fresh`;

function absent(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}
