import { lstat, rm } from 'node:fs/promises';
import type { Code } from '../../runtime/codes.ts';
import type { CommitId, RepositoryUrl } from '../../schemas/values.ts';
import type { Difference } from '../objects/difference.ts';
import { objectFormatOf } from '../run/commit-id.ts';
import type { GitAccess } from '../run/credentials.ts';
import type { FetchLimits } from '../run/deadline.ts';
import { gitError, gitFailure } from '../run/errors.ts';
import { cameFrom, noteOrigin } from './commit-origin.ts';
import { type Fetcher, fetcher, onNextPack } from './fetch-command.ts';
import { proveStore, replaceStore, suspicionOf } from './replace-store.ts';
import {
  exists,
  formatOf,
  isHere,
  isPinned,
  isWhole,
  makeRepository,
  otherFormat,
  pin,
  pinned,
  type Repository,
  removeBrokenPins,
  unpin,
} from './repository.ts';
import { removeStaleOfFetch } from './stale-files.ts';
import { type AskedTips, fetchWithTips } from './tips.ts';

interface WantedCommit {
  /** Null: only what is already in the store; no server is contacted. */
  readonly url: RepositoryUrl | null;
  readonly commitId: CommitId;
  /** A branch or tag that may contain the commit, for servers that refuse an exact commit. */
  readonly ref?: string | undefined;
  readonly tips?: AskedTips | undefined;
  /** The commit that is expected to differ least from the wanted one. */
  readonly base: CommitId | null;
}

/** What a fetch may use, and whom it notifies on the way. */
interface FetchWays {
  readonly access: (url: RepositoryUrl) => Promise<GitAccess>;
  readonly limits: FetchLimits;
  /** Reads the change from the origin's own directory on this machine; null: git has to fetch. */
  readonly copy?:
    | ((
        wanted: WantedCommit & { url: RepositoryUrl },
        base: CommitId,
        signal: AbortSignal,
      ) => Promise<Difference | null>)
    | null;
  /**
   * Called at most once: with the difference from the base if it is known, otherwise with null while git still checks
   * what it received. The objects can then be read, but not yet trusted.
   */
  readonly arrived?: (difference: Difference | null) => void;
}

/**
 * Brings exactly one commit into the store, pins it and proves that it is a commit. One attempt, in this order:
 *
 * - the store already has it from this url;
 * - the change is copied from a directory on this machine (`copy`);
 * - the server gives the exact commit, at depth 1: in a shallow store, a fetch without a depth could download the whole
 *   history;
 * - from a server that serves only advertised commits: the named ref, then its branches and tags with some history,
 *   then all history, including the deployments that our hook pinned there. If a server says that it has no such
 *   object, that is final.
 *
 * However it ends, no lock and no half pack stays behind. A store in doubt is checked first, and replaced if it is
 * broken (replace-store.ts).
 * @returns false if the store already had the commit, and no origin was read.
 */
export async function fetchCommit(
  repository: Repository,
  wanted: WantedCommit,
  ways: FetchWays,
  signal: AbortSignal,
): Promise<{ network: boolean }> {
  const { url, commitId } = wanted;
  const from = async (into: Repository, id: CommitId) => {
    if (url === null) throw fromNowhere(id);
    const fetch = fetcher(into, url, await ways.access(url), ways.limits, signal);
    await fetchAbsent(into, { ...wanted, commitId: id }, fetch);
    await noteOrigin(into, id, { url, ref: id === commitId ? wanted.ref : undefined });
  };
  const verdict = await judge(repository, signal);
  if (verdict !== 'kept') {
    const network = await replaceStore(repository, wanted, from, signal).catch(async (error: unknown) => {
      signal.throwIfAborted();
      if (verdict === 'broken' || !(await isHere(repository, wanted))) throw error;
      repository.log.warn({ error, commitId }, 'the object store could not be replaced; it still has this commit');
      return false;
    });
    return { network };
  }
  await makeFor(repository, commitId);
  const [here, fromThere] = await Promise.all([
    isPinned(repository, commitId),
    url === null || cameFrom(repository, commitId, url),
  ]);
  if (here && fromThere) return { network: false };
  if (url === null && (await isWhole(repository, commitId))) {
    await pin(repository, commitId);
    return { network: false };
  }
  const difference = await copied(repository, wanted, ways, signal);
  if (difference !== null) {
    if (url !== null) await noteOrigin(repository, commitId, { url, ref: wanted.ref });
    ways.arrived?.(difference);
    return { network: true };
  }
  const unwatch = onNextPack(repository.directory, () => ways.arrived?.(null));
  await from(repository, commitId).finally(unwatch);
  return { network: true };
}

/** Whether the store has to be replaced: it is broken, or work with it keeps failing although it looks sound. */
async function judge(repository: Repository, signal: AbortSignal): Promise<'kept' | 'broken' | 'failing'> {
  if (!(await exists(repository))) {
    return (await lstat(repository.directory).catch(() => null)) === null ? 'kept' : 'broken';
  }
  const suspicion = await suspicionOf(repository);
  if (suspicion === null) return 'kept';
  if (suspicion === 'replace') return 'failing';
  return (await proveStore(repository, signal)) === 'broken' ? 'broken' : 'kept';
}

/** The change, if it could be copied from the origin's own directory; otherwise null. */
async function copied(
  repository: Repository,
  wanted: WantedCommit,
  { access, copy }: FetchWays,
  signal: AbortSignal,
): Promise<Difference | null> {
  const { url, base } = wanted;
  if (!copy || url === null || base === null || !url.startsWith('file:')) return null;
  await access(url); // Refuses what the settings do not allow.
  try {
    return await copy({ ...wanted, url }, base, signal);
  } catch (error) {
    await removeStaleOfFetch(repository.directory);
    throw error;
  }
}

const fromNowhere = (commitId: CommitId): Error =>
  gitError('NOT_KEPT', `${commitId} is not in the store, and nothing names its repository`);

async function fetchAbsent(repository: Repository, wanted: WantedCommit, fetch: Fetcher): Promise<void> {
  const { commitId } = wanted;
  await removeBrokenPins(repository);
  const before = await isPinned(repository, commitId);
  try {
    await repository.failpoint('fetch.before');
    await bring(repository, wanted, fetch).catch(async (error: { code?: unknown }) => {
      if (error.code !== 'STORE_LOCKED') throw error;
      // This is our writing turn, so the lock is a leftover.
      await removeStaleOfFetch(repository.directory);
      await bring(repository, wanted, fetch);
    });
    repository.fresh.add(commitId);
    await repository.failpoint('fetch.pinned');
  } catch (error) {
    await removeStaleOfFetch(repository.directory);
    // A commit that another url brought stays.
    if (!before && (error as { code?: Code }).code === 'TOO_LARGE') await unpin(repository, commitId);
    throw error;
  }
}

async function bring(repository: Repository, wanted: WantedCommit, fetch: Fetcher): Promise<void> {
  const { commitId } = wanted;
  try {
    await fetchWithTips(repository, wanted, fetch);
  } catch (error) {
    if (!(error instanceof Error) || !REFUSES_EXACT.test(error.message)) throw error;
    repository.log.info({ commitId }, 'the server gives no exact commits; asking for its branches and tags');
    await bringByRef(repository, wanted, fetch);
  }
  await repository.failpoint('fetch.received');
  const found = await repository.reader.read(commitId);
  if (found?.type === 'commit') return;
  await unpin(repository, commitId);
  if (!found) throw gitError('STORE_BROKEN', `git fetched ${commitId}, and the store does not have it`);
  throw gitError('NOT_A_COMMIT', `${commitId} is a ${found.type}, not a commit`);
}

/** The messages of servers that may have the commit but serve only what they advertise. */
const REFUSES_EXACT = /unadvertised object|couldn't find remote ref|want [0-9a-f]+ not valid/i;

const SOME_HISTORY = '--depth=50';
/** Git's own value for "all history"; it works in shallow and in complete stores. */
const ALL_HISTORY = '--depth=2147483647';

async function bringByRef(repository: Repository, wanted: WantedCommit, fetch: Fetcher): Promise<void> {
  const all = ['+refs/heads/*:refs/fallback/heads/*', '+refs/tags/*:refs/fallback/tags/*'];
  const tries: [string, string[]][] = [
    ...refspecsOf(wanted.ref).map((refspec): [string, string[]] => [SOME_HISTORY, [refspec]]),
    [SOME_HISTORY, all],
    // Our hook pins what it published there, safe from forced pushes. A pinned commit itself is advertised, so the
    // first attempt gets it; this one finds its ancestors.
    [ALL_HISTORY, [...all, '+refs/deployments/*:refs/fallback/deployments/*']],
  ];
  let lost: unknown;
  await dropFallback(repository); // A crash may have left another server's refs.
  try {
    for (const [depth, refspecs] of tries) {
      await fetch([depth], refspecs).catch((error: unknown) => {
        if ((error as { code?: Code }).code !== 'COMMIT_NOT_FOUND') throw error;
        lost = error; // The server has no such ref; the next attempt is wider.
      });
      if (!(await leadsTo(repository, wanted.commitId))) continue;
      return await pin(repository, wanted.commitId);
    }
  } finally {
    await dropFallback(repository);
  }
  const words = `fatal: remote error: not our ref ${wanted.commitId} (looked through all branches, tags and deployments)`;
  repository.log.debug({ lost }, 'no ref of the server leads to the commit');
  throw gitFailure('git fetch', { stderr: words });
}

/** The ref is a hint from outside: only plain ref names pass, without anything that is special in a refspec. */
function refspecsOf(ref: string | undefined): string[] {
  if (ref === undefined || !/^[A-Za-z0-9_][A-Za-z0-9_./+@=-]{0,199}$/.test(ref)) return [];
  if (/\.\.|\/\/|@\{|\.lock(\/|$)|[./]$|\/\./.test(ref)) return [];
  if (ref.startsWith('refs/')) return [`+${ref}:refs/fallback/hint`];
  return [`+refs/heads/${ref}:refs/fallback/hint`, `+refs/tags/${ref}:refs/fallback/hint`];
}

async function dropFallback(repository: Repository): Promise<void> {
  const call = { gitDir: repository.directory };
  const refs = await repository.git.output(['for-each-ref', '--format=delete %(refname)', 'refs/fallback/'], call);
  if (refs !== '') await repository.git.output(['update-ref', '--stdin'], { ...call, input: refs });
}

/** Whether a ref that was just fetched contains the commit, and its whole tree is here. */
async function leadsTo(repository: Repository, commitId: CommitId): Promise<boolean> {
  const contains = ['for-each-ref', '--count=1', `--contains=${commitId}`, 'refs/fallback/'];
  const refs = await repository.git.run(contains, { gitDir: repository.directory });
  return refs.exitCode === 0 && refs.stdout.length > 0 && (await isWhole(repository, commitId));
}

/** The first commit decides the store's hash format; it may still change while nothing is pinned. */
async function makeFor(repository: Repository, commitId: CommitId): Promise<void> {
  const needed = objectFormatOf(commitId);
  if (!(await exists(repository))) return makeRepository(repository, needed);
  const present = await formatOf(repository);
  if (present === needed) return;
  if ((await pinned(repository)).length === 0) {
    await rm(repository.directory, { recursive: true, force: true });
    repository.reader.close();
    repository.sizes.close();
    return makeRepository(repository, needed);
  }
  throw otherFormat(present, needed);
}
