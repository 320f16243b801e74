import { cp, lstat, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isAbort } from '../../runtime/errors.ts';
import type { CommitId, RepositoryUrl } from '../../schemas/values.ts';
import { createObjectReader } from '../objects/object-reader.ts';
import { type ObjectFormat, objectFormatOf } from '../run/commit-id.ts';
import { mayBeDamage } from '../run/errors.ts';
import { borrowerOf, carryOver, keptIn, mayStillBeWhole } from './carry-over.ts';
import { cameFrom } from './commit-origin.ts';
import {
  exists,
  formatOf,
  makeRepository,
  otherFormat,
  pinNames,
  pinned,
  type Repository,
  removeBrokenPins,
} from './repository.ts';
import { removeStaleOfWorkTree } from './stale-files.ts';

/**
 * What happens when the object store itself is in doubt. The doubt is a file beside the store, so that it survives us;
 * while it stands nothing counts as being here, so the next fetch comes by. It proves the store, or makes a new one
 * beside it, brings the commits of the kept releases too, and swaps the directories. What is served is only files, and
 * is never touched.
 *
 * Damage has more words than any table of them. So it is recognised by a rule: a failure that says that objects are
 * damaged, and a tree that is not what its objects should make it, put the store in doubt at once; any other local
 * failure of git that has no row in the table does so at the second time in a row. If the store is found sound and the
 * same work still fails at the fourth time, it is replaced without another look: fsck does not see everything. Commits
 * that are still whole are taken from the old store, and no network is needed for them.
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
      else if (mayBeDamage(error, repository.directory)) {
        const times = (unknown.get(work) ?? 0) + 1;
        unknown.set(work, times);
        const { proved } = repository.soundness;
        repository.soundness.proved = false;
        if (isPowerOfTwo(times) && times > 1)
          await markSuspect(repository, error, times > 2 && !proved ? 'replace' : 'look');
      } else if (!isAbort(error)) unknown.delete(work);
      throw error;
    }
  };
}

const isPowerOfTwo = (n: number): boolean => (n & (n - 1)) === 0;

/**
 * `look`: the next fetch proves the store or replaces it. `replace`: it replaces the store; where that fails, a pinned
 * commit that is whole is still used. Null: no doubt.
 */
type Suspicion = 'look' | 'replace';

export async function suspicionOf(repository: Repository): Promise<Suspicion | null> {
  const text = await readFile(markOf(repository), 'utf8').catch(() => null);
  if (text === null) return null;
  return text.trim() === 'replace' ? 'replace' : 'look';
}

export async function markSuspect(repository: Repository, why: unknown, then: Suspicion = 'look'): Promise<void> {
  if ((await suspicionOf(repository)) === 'replace') return;
  repository.log.warn({ error: why }, 'the object store is in doubt; the next fetch checks all of it');
  const mark = repository.soundness.unprovable ? 'replace' : then;
  await writeFile(markOf(repository), mark).catch((error: unknown) => {
    repository.log.warn({ error }, 'the doubt could not be noted');
  });
}

export async function clearSuspicion(repository: Repository): Promise<void> {
  await rm(markOf(repository), { recursive: true, force: true });
}

/**
 * Proves the store or finds it broken. A look that does not end in time is not repeated: the doubt is dropped, and the
 * next one replaces the store.
 */
export async function proveStore(repository: Repository, signal: AbortSignal): Promise<'sound' | 'broken' | 'unknown'> {
  try {
    if (!(await isSound(repository, true, signal))) return 'broken';
    repository.soundness.proved = true;
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'GIT_TIMEOUT') throw error;
    repository.soundness.unprovable = true;
    repository.log.warn({ error }, 'the object store is too large to be checked in time; the next doubt replaces it');
  }
  await clearSuspicion(repository);
  return repository.soundness.proved ? 'sound' : 'unknown';
}

/** Every object that a pinned commit needs is here; with `hashed` each is also what its name says. */
export async function isSound(repository: Repository, hashed: boolean, signal?: AbortSignal): Promise<boolean> {
  if (!(await exists(repository))) return false;
  await removeBrokenPins(repository);
  const [format, pins] = await Promise.all([formatOf(repository), pinned(repository)]).catch(() => [null, null]);
  if (format === null || pins === null) return false;
  if (pins.length === 0 && !hashed) return true;
  const flags = ['--no-dangling', '--no-reflogs', '--no-progress', ...(hashed ? [] : ['--connectivity-only'])];
  const said = await repository.git.run(['fsck', ...flags, ...pins], { gitDir: repository.directory, signal });
  return said.exitCode === 0;
}

/**
 * Makes a store beside the old one and puts it in its place. What is still whole in the old store is taken from there;
 * the wanted commit and those of kept releases that are not are fetched with `bring`. The old store stays where the
 * wanted commit cannot be had, or where a kept one is had nowhere and may still be whole in the old store.
 * @returns whether the wanted commit had to be fetched.
 */
export async function replaceStore(
  repository: Repository,
  { url, commitId }: { readonly url: RepositoryUrl | null; readonly commitId: CommitId },
  bring: (fresh: Repository, commitId: CommitId) => Promise<unknown>,
  signal: AbortSignal,
): Promise<boolean> {
  const { pins, heads } = await keptIn(repository);
  const kept = [...new Set([...heads, ...pins])];
  const [format, needed] = [objectFormatOf(kept[0] ?? commitId), objectFormatOf(commitId)];
  if (format !== needed) throw otherFormat(format, needed);
  const fresh = await emptyBeside(repository, format);
  let isFetched = false;
  let isReady = false;
  try {
    const lost = await carryOver(repository, fresh, kept, signal);
    const arrived = kept.includes(commitId) && !lost.has(commitId);
    isFetched = !arrived || (url !== null && !(await cameFrom(fresh, commitId, url)));
    if (isFetched) await bring(fresh, commitId);
    for (const head of heads.filter((each) => each !== commitId && lost.has(each))) {
      await bring(fresh, head).catch((error: unknown) => {
        if (mayStillBeWhole(lost.get(head))) throw lost.get(head);
        repository.log.warn({ commitId: head, error }, 'the commit of a kept release could not be fetched again');
      });
    }
    isReady = true;
  } finally {
    fresh.reader.close();
    fresh.sizes.close();
    // Half of a store would take the room that a full disk does not have.
    if (!isReady) await rm(fresh.directory, { recursive: true, force: true }).catch(() => {});
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
  repository.soundness.unprovable = false;
  repository.log.warn('the object store was replaced by a new one');
  return isFetched;
}

/** Start-up: there is a store afterwards, whatever moment of the above a crash hit, also one that lost its HEAD. */
export async function recoverStore(repository: Repository): Promise<void> {
  if (!(await exists(repository))) await startOver(repository);
  for (const directory of [
    brokenOf(repository),
    freshOf(repository),
    ...[repository.directory, freshOf(repository)].flatMap((each) => [borrowerOf(each), `${borrowerOf(each)}.making`]),
    `${freshOf(repository)}.making`,
    `${repository.directory}.making`,
  ]) {
    await rm(directory, { recursive: true, force: true });
  }
}

/**
 * Start-up: sets aside what is in the place of the store, and makes a new one or takes the one that a crash left, ready
 * or not. What the store knew about work trees is kept, and so are the commits whose objects are whole: no network is
 * there yet, and their origin may not have them any more.
 */
export async function startOver(repository: Repository): Promise<void> {
  const broken = brokenOf(repository);
  if (await lstat(repository.directory).catch(() => null)) {
    await rm(broken, { recursive: true, force: true });
    await rename(repository.directory, broken);
  }
  const { pins, heads } = await keptIn({ directory: broken });
  const kept = [...new Set([...heads, ...pins])];
  const format = objectFormatOf(kept[0] ?? NO_COMMIT);
  if (await exists({ directory: freshOf(repository) })) await rename(freshOf(repository), repository.directory);
  else await makeRepository(repository, format);
  const there = new Set(await pinNames(repository));
  const absent = kept.filter((commitId) => !there.has(commitId) && objectFormatOf(commitId) === format);
  const lost = await carryOver({ ...repository, directory: broken }, repository, absent);
  for (const [commitId, error] of lost) {
    repository.log.warn({ commitId, error }, 'a kept commit was damaged in the old object store; it is fetched again');
  }
  await copyWorkTrees(broken, repository.directory);
  await rm(broken, { recursive: true, force: true });
}

/** Where nothing is kept, the store's hash is not decided yet. */
const NO_COMMIT = '0'.repeat(40) as CommitId;

/** Those that can be copied and are not there; nothing else is lost with one that cannot but the time to make it again. */
async function copyWorkTrees(from: string, to: string): Promise<void> {
  const names = await readdir(join(from, 'worktrees')).catch(() => []);
  for (const name of names) {
    const copy = join(to, 'worktrees', name);
    if (await lstat(copy).catch(() => null)) continue;
    await cp(join(from, 'worktrees', name), copy, { recursive: true })
      // A git that just brings an index up to date takes its lock away from where it put it, not from the copy.
      .then(() => removeStaleOfWorkTree(copy))
      .catch(() => rm(copy, { recursive: true, force: true }));
  }
}

async function emptyBeside(repository: Repository, format: ObjectFormat): Promise<Repository> {
  const directory = freshOf(repository);
  await rm(directory, { recursive: true, force: true });
  await makeRepository(repository, format, directory);
  const { sandbox } = repository.git;
  const reader = createObjectReader(sandbox, directory);
  return { ...repository, directory, reader, sizes: createObjectReader(sandbox, directory, 'sizes') };
}

const markOf = (repository: Repository) => `${repository.directory}.suspect`;
const brokenOf = (repository: Repository) => `${repository.directory}.broken`;
const freshOf = (repository: Repository) => `${repository.directory}.fresh`;

function absent(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}
