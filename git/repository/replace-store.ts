import { cp, lstat, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CommitId } from '../../schemas/values.ts';
import { createObjectReader } from '../objects/object-reader.ts';
import { checkedCommitId, objectFormatOf } from '../run/commit-id.ts';
import { mayBeDamage } from '../run/errors.ts';
import { exists, formatOf, makeRepository, pinned, type Repository, removeBrokenPins } from './repository.ts';

/**
 * What happens when the object store itself is in doubt. The doubt is a file beside the store, so that it survives us;
 * while it stands nothing counts as being here, so the next fetch comes by. It proves the store, or makes a new one
 * beside it, brings the commits of the kept releases too, and swaps the directories. What is served is only files, and
 * is never touched.
 *
 * Damage has more words than any table of them. So it is recognised by a rule: a failure that says that objects are
 * damaged, and a tree that is not what its objects should make it, put the store in doubt at once; any other local
 * failure of git that has no row in the table does so at the second time in a row. If the store is found sound and the
 * same work still fails at the fourth time, it is replaced without another look: fsck does not see everything.
 */
export type Doubting = <T>(work: Work, done: Promise<T>) => Promise<T>;
type Work = 'fetch' | 'attach' | 'write' | 'verify' | 'inspect' | 'restore';

export function createDoubting(repository: Repository): Doubting {
  /** Failures of unknown cause in a row, for each kind of work. */
  const unknown = new Map<Work, number>();
  return async (work, done) => {
    try {
      const result = await done;
      unknown.delete(work);
      return result;
    } catch (error) {
      const { code } = error as { code?: unknown };
      if (code === 'STORE_BROKEN' || code === 'TREE_MISMATCH') await markSuspect(repository, error);
      else if (mayBeDamage(error)) {
        const times = (unknown.get(work) ?? 0) + 1;
        unknown.set(work, times);
        if (isPowerOfTwo(times) && times > 1) await markSuspect(repository, error, times > 2 ? 'replace' : 'look');
      }
      throw error;
    }
  };
}

const isPowerOfTwo = (n: number): boolean => (n & (n - 1)) === 0;

/** `look`: the next fetch proves the store or replaces it. `replace`: it replaces the store. Null: no doubt. */
type Suspicion = 'look' | 'replace';

export async function suspicionOf(repository: Repository): Promise<Suspicion | null> {
  const text = await readFile(markOf(repository), 'utf8').catch(() => null);
  if (text === null) return null;
  return text.trim() === 'replace' ? 'replace' : 'look';
}

export async function markSuspect(repository: Repository, why: unknown, then: Suspicion = 'look'): Promise<void> {
  repository.log.warn({ error: why }, 'the object store is in doubt; the next fetch checks all of it');
  await writeFile(markOf(repository), then).catch((error: unknown) => {
    repository.log.warn({ error }, 'the doubt could not be noted');
  });
}

export async function clearSuspicion(repository: Repository): Promise<void> {
  await rm(markOf(repository), { recursive: true, force: true });
}

/** Every object that a pinned commit needs is here; with `hashed` each is also what its name says. */
export async function isSound(repository: Repository, hashed: boolean): Promise<boolean> {
  if (!(await exists(repository))) return false;
  await removeBrokenPins(repository);
  const [format, pins] = await Promise.all([formatOf(repository), pinned(repository)]).catch(() => [null, null]);
  if (format === null || pins === null) return false;
  if (pins.length === 0 && !hashed) return true;
  const flags = ['--no-dangling', '--no-reflogs', '--no-progress', ...(hashed ? [] : ['--connectivity-only'])];
  const said = await repository.git.run(['fsck', ...flags, ...pins], { gitDir: repository.directory });
  return said.exitCode === 0;
}

/**
 * Makes a store from nothing with `bring`, which fetches one commit into it, then puts it in the place of the old one.
 */
export async function replaceStore(
  repository: Repository,
  wanted: CommitId,
  bring: (fresh: Repository, commitId: CommitId) => Promise<unknown>,
): Promise<void> {
  const fresh = await emptyBeside(repository, wanted);
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
  await copyWorkTrees(repository.directory, fresh.directory);
  await rm(brokenOf(repository), { recursive: true, force: true });
  await rename(repository.directory, brokenOf(repository)).catch(absent);
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
  if (!(await exists(repository))) await startOver(repository);
  for (const directory of [
    brokenOf(repository),
    freshOf(repository),
    `${freshOf(repository)}.making`,
    `${repository.directory}.making`,
  ]) {
    await rm(directory, { recursive: true, force: true });
  }
}

/**
 * Start-up: sets aside what is in the place of the store, and makes a new one or takes the one that was ready. What the
 * store knew about work trees is kept; the commits have to be fetched again.
 */
export async function startOver(repository: Repository): Promise<void> {
  const broken = brokenOf(repository);
  if (await lstat(repository.directory).catch(() => null)) {
    await rm(broken, { recursive: true, force: true });
    await rename(repository.directory, broken);
  }
  if (await exists({ directory: freshOf(repository) })) await rename(freshOf(repository), repository.directory);
  else await makeRepository(repository, 'sha1');
  await copyWorkTrees(broken, repository.directory);
  await rm(broken, { recursive: true, force: true });
}

/** Those that can be copied and are not there; nothing else is lost with one that cannot but the time to make it again. */
async function copyWorkTrees(from: string, to: string): Promise<void> {
  const names = await readdir(join(from, 'worktrees')).catch(() => []);
  for (const name of names) {
    const copy = join(to, 'worktrees', name);
    if (await lstat(copy).catch(() => null)) continue;
    await cp(join(from, 'worktrees', name), copy, { recursive: true }).catch(() =>
      rm(copy, { recursive: true, force: true }),
    );
  }
}

async function emptyBeside(repository: Repository, wanted: CommitId): Promise<Repository> {
  const directory = freshOf(repository);
  await rm(directory, { recursive: true, force: true });
  await makeRepository(repository, objectFormatOf(wanted), directory);
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
