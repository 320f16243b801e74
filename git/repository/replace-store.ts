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
 * What happens when the object store itself is in doubt. The doubt is a file beside the store, so it survives the
 * process. While it exists, no commit counts as present, so the agent fetches. That fetch proves the store, or builds a
 * new one beside it with the commits of the kept releases, and swaps the directories. The served files are never
 * touched.
 *
 * No table lists every message that damage can cause, so a rule recognises it. A failure that reports damaged objects,
 * or a tree that does not match its objects, puts the store in doubt at once. Any other local git failure without a row
 * in the table does so the second time in a row. If the store is found sound and the same work fails a fourth time, it
 * is replaced without another check: fsck does not see everything. Commits that are still whole are taken from the old
 * store without the network.
 */
export type Doubting = <T>(work: Work, done: Promise<T>) => Promise<T>;
type Work = 'fetch' | 'take' | 'attach' | 'write' | 'verify' | 'inspect' | 'restore';

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
 * `look`: the next fetch proves the store or replaces it. `replace`: the next fetch replaces it; if that fails, a
 * pinned commit that is whole is still used. Null: no doubt.
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
 * Proves the store or finds it broken. A check that times out is not repeated: the doubt is dropped, and the next doubt
 * replaces the store.
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

/** Whether every object that the pinned commits need is here; with `hashed`, also whether each one matches its id. */
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
 * Builds a store beside the old one and puts it in its place. Commits that are whole in the old store are taken from
 * there; if the wanted commit or that of a kept release is not, `bring` fetches it. The old store stays if the wanted
 * commit is not available, or if the commit of a kept release cannot be fetched and may still be whole in the old
 * store.
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
    // Half a store would only fill the disk further.
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

/**
 * Start-up: afterwards there is a store, wherever a crash interrupted the replacement, and even if the store lost its
 * HEAD.
 */
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
 * Start-up: sets aside whatever is in the store's place, and uses the new store that a crash left, finished or not, or
 * creates one. What the old store knew about work trees is kept, and so are the commits whose objects are whole: there
 * is no network yet, and their origin may no longer have them.
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

/** If no commit is kept, the store's hash format is not decided yet. */
const NO_COMMIT = '0'.repeat(40) as CommitId;

/** Copies the work trees' data that is missing in `to`. What cannot be copied only costs the time to make it again. */
async function copyWorkTrees(from: string, to: string): Promise<void> {
  const names = await readdir(join(from, 'worktrees')).catch(() => []);
  for (const name of names) {
    const copy = join(to, 'worktrees', name);
    if (await lstat(copy).catch(() => null)) continue;
    await cp(join(from, 'worktrees', name), copy, { recursive: true })
      // A git that is updating the index removes its lock from the original, not from the copy.
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
