import { rm } from 'node:fs/promises';
import type { Code } from '../../runtime/codes.ts';
import type { CommitId, RepositoryUrl } from '../../schemas/values.ts';
import { copyChange } from '../local-copy/copy-change.ts';
import type { Difference } from '../objects/difference.ts';
import { objectFormatOf } from '../run/commit-id.ts';
import type { Access } from '../run/credentials.ts';
import { type FetchLimits, watchProgress } from '../run/deadline.ts';
import { gitError, gitFailure } from '../run/errors.ts';
import type { FetchOutcome, FetchRequest } from '../store.ts';
import { onNextPack } from './pack-watch.ts';
import { clearSuspicion, isSound, isSuspect, replaceStore } from './replace-store.ts';
import { exists, formatOf, isPinned, makeRepository, pin, pinned, type Repository, unpin } from './repository.ts';
import { removeStaleOfFetch } from './stale-files.ts';

/**
 * Brings exactly one commit into the store, pins it and proves that it is a commit. One try, in this order: it is
 * here already; what changed lies open in a directory of this machine (copy-change.ts); the server gives the exact commit (depth 1: on a shallow store a fetch without depth could download
 * the whole history); a server that gives only what its refs show is asked for the named ref, then for its branches and
 * tags with some history, then for all history, that of the deployments our hook pinned there included. A server that
 * says it has no such object is believed at once.
 *
 * Whatever way it ends, no lock and no half pack stays behind. A store in doubt is looked at first, and replaced when
 * it is broken (heal.ts).
 * @param arrived called at most once: with what differs from the base, where that is known; else while git still checks
 * what it received: the objects may be read, not yet trusted.
 */
export async function fetchCommit(
  repository: Repository,
  request: WantedCommit,
  access: (url: RepositoryUrl) => Promise<Access>,
  limits: FetchLimits,
  signal: AbortSignal,
  arrived: (difference: Difference | null) => void = () => {},
): Promise<FetchOutcome> {
  const { url, commitId } = request;
  const from = async (into: Repository, wanted: CommitId) => {
    if (url === null) throw fromNowhere(wanted);
    await fetchAbsent(into, { ...request, commitId: wanted }, fetcher(into, url, await access(url), limits, signal));
  };
  if (await isSuspect(repository)) {
    if (!(await isSound(repository, true))) {
      await replaceStore(repository, commitId, from);
      return { network: true };
    }
    await clearSuspicion(repository);
  }
  await makeFor(repository, commitId);
  const [here, found] = await Promise.all([isPinned(repository, commitId), repository.reader.read(commitId)]);
  if (here) return { network: false };
  if (found?.type === 'commit' && (await isWhole(repository, commitId))) {
    await pin(repository, commitId);
    return { network: false };
  }
  const difference = await copyWhere(repository, request, access, limits, signal);
  if (difference !== null) {
    arrived(difference);
    return { network: true };
  }
  const unwatch = onNextPack(repository.directory, () => arrived(null));
  await from(repository, commitId).finally(unwatch);
  return { network: true };
}

interface WantedCommit extends FetchRequest {
  /** The commit that differs least from it, as far as anybody knows. */
  readonly base: CommitId | null;
}

/** What changed, where it could be copied from the origin's own directory. */
async function copyWhere(
  repository: Repository,
  { url, base, commitId }: WantedCommit,
  access: (url: RepositoryUrl) => Promise<Access>,
  limits: FetchLimits,
  signal: AbortSignal,
): Promise<Difference | null> {
  if (url === null || base === null || base.length !== commitId.length || !url.startsWith('file:')) return null;
  await access(url); // Refuses what the settings do not allow.
  const objects = await repository.originDirectories(url);
  if (objects === null || !(await isPinned(repository, base))) return null;
  try {
    return await copyChange(repository, objects, base, commitId, limits.maxBytes, signal);
  } catch (error) {
    await removeStaleOfFetch(repository.directory);
    throw error;
  }
}

const fromNowhere = (commitId: CommitId): Error =>
  gitError('NOT_KEPT', `${commitId} is not in the store, and nothing names its repository`);

type Fetcher = (depth: readonly string[], refspecs: readonly string[]) => Promise<void>;

async function fetchAbsent(repository: Repository, request: FetchRequest, fetch: Fetcher): Promise<void> {
  const { commitId } = request;
  try {
    await repository.failpoint('fetch.before');
    await bring(repository, request, fetch).catch(async (error: { code?: unknown }) => {
      if (error.code !== 'STORE_LOCKED') throw error;
      // It is our turn to write, so the lock is a leftover.
      await removeStaleOfFetch(repository.directory);
      await bring(repository, request, fetch);
    });
    repository.fresh.add(commitId);
    await repository.failpoint('fetch.pinned');
  } catch (error) {
    await removeStaleOfFetch(repository.directory);
    if ((error as { code?: Code }).code === 'TOO_LARGE') await unpin(repository, commitId);
    throw error;
  }
}

async function bring(repository: Repository, request: FetchRequest, fetch: Fetcher): Promise<void> {
  const { commitId } = request;
  try {
    await fetch(['--depth=1'], [`+${commitId}:refs/pins/${commitId}`]);
  } catch (error) {
    if (!(error instanceof Error) || !REFUSES_EXACT.test(error.message)) throw error;
    repository.log.info({ commitId }, 'the server gives no exact commits; asking for its branches and tags');
    await bringByRef(repository, request, fetch);
  }
  await repository.failpoint('fetch.received');
  const found = await repository.reader.read(commitId);
  if (found?.type === 'commit') return;
  await unpin(repository, commitId);
  if (!found) throw gitFailure('git fetch', `fatal: remote error: not our ref ${commitId}`);
  throw gitError('NOT_A_COMMIT', `${commitId} is a ${found.type}, not a commit`);
}

/** Words of servers that may well have the commit but give only what they advertise. */
const REFUSES_EXACT = /unadvertised object|couldn't find remote ref|want [0-9a-f]+ not valid/i;

const SOME_HISTORY = '--depth=50';
/** Git's own word for "all of it", which works on shallow and on whole stores alike. */
const ALL_HISTORY = '--depth=2147483647';

async function bringByRef(repository: Repository, request: FetchRequest, fetch: Fetcher): Promise<void> {
  const all = ['+refs/heads/*:refs/fallback/heads/*', '+refs/tags/*:refs/fallback/tags/*'];
  const tries: [string, string[]][] = [
    ...refspecsOf(request.ref).map((refspec): [string, string[]] => [SOME_HISTORY, [refspec]]),
    [SOME_HISTORY, all],
    // Our hook pins there what it published, so that no forced push takes it away. Such a commit itself is given at once.
    [ALL_HISTORY, [...all, '+refs/deployments/*:refs/fallback/deployments/*']],
  ];
  let lost: unknown;
  try {
    for (const [depth, refspecs] of tries) {
      await fetch([depth], refspecs).catch((error: unknown) => {
        if (!(error instanceof Error) || !/couldn't find remote ref/i.test(error.message)) throw error;
        lost = error; // This hint names nothing there; the next try is wider.
      });
      if (!(await isWhole(repository, request.commitId))) continue;
      return await pin(repository, request.commitId);
    }
  } finally {
    await dropFallback(repository);
  }
  const words = `fatal: remote error: not our ref ${request.commitId} (looked through all branches, tags and deployments)`;
  repository.log.debug({ lost }, 'no ref of the server leads to the commit');
  throw gitFailure('git fetch', words);
}

/** A hint from outside: only what git itself takes for a plain ref name, and nothing that means something in a refspec. */
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

/** A commit with its whole tree, which an earlier fetch brought and nobody pins (or pinned, if a crash came first). */
async function isWhole(repository: Repository, commitId: CommitId): Promise<boolean> {
  const found = await repository.reader.read(commitId);
  if (found?.type !== 'commit') return false;
  const args = ['rev-list', '--objects', '--quiet', '--no-walk', commitId, '--'];
  return (await repository.git.run(args, { gitDir: repository.directory })).exitCode === 0;
}

/** The store's hash is that of its first commit; while nothing is pinned it may still change. */
async function makeFor(repository: Repository, commitId: CommitId): Promise<void> {
  const wanted = objectFormatOf(commitId);
  if (!(await exists(repository))) return makeRepository(repository, wanted);
  const present = await formatOf(repository);
  if (present === wanted) return;
  if ((await pinned(repository)).length === 0) {
    await rm(repository.directory, { recursive: true, force: true });
    repository.reader.close();
    repository.sizes.close();
    return makeRepository(repository, wanted);
  }
  const hint = 'one app keeps one hash; publish a commit of the same kind, or use another app for this repository';
  throw gitError('OBJECT_FORMAT', `the store is ${present}, the commit id is ${wanted}`, hint);
}

function fetcher(
  repository: Repository,
  url: RepositoryUrl,
  access: Access,
  limits: FetchLimits,
  signal: AbortSignal,
): Fetcher {
  return async (depth, refspecs) => {
    const watch = watchProgress(repository.clock, limits);
    const options = ['--progress', '--no-tags', '--no-write-fetch-head', '--no-recurse-submodules'];
    try {
      const said = await repository.git.run(
        ['fetch', ...options, '--no-auto-maintenance', ...depth, '--', url, ...refspecs],
        {
          gitDir: repository.directory,
          config: [...access.config, ...FETCH_SETTINGS],
          env: access.env,
          protocols: access.protocols,
          timeoutMs: limits.totalMs + 1_000,
          signal: AbortSignal.any([signal, watch.signal]),
          onOutput: (stream, chunk) => stream === 'stderr' && watch.saw(chunk.toString('latin1')),
        },
      );
      if (said.exitCode !== 0) throw gitFailure('git fetch', said.stderr, 'FETCH_FAILED');
      if (watch.overdue === 'size') throw overdue('size', limits); // Told by its very last words.
    } catch (error) {
      throw signal.aborted || watch.overdue === null ? error : overdue(watch.overdue, limits);
    } finally {
      watch.stop();
    }
  };
}

/**
 * Always a pack, never loose objects: a pack is fsynced as one file and cannot be changed unnoticed object by object.
 * The messages turned to warnings are about dates and names in old commits, which harm nobody.
 */
const FETCH_SETTINGS = [
  'fetch.unpackLimit=1',
  ...[
    'badTimezone',
    'badDate',
    'badDateOverflow',
    'badEmail',
    'badName',
    'missingEmail',
    'missingNameBeforeEmail',
    'missingSpaceBeforeDate',
    'missingSpaceBeforeEmail',
    'zeroPaddedDate',
    'missingTaggerEntry',
    'badTagName',
  ].map((message) => `fetch.fsck.${message}=ignore`),
];

function overdue(why: 'silent' | 'total' | 'size', limits: FetchLimits) {
  if (why === 'size') {
    const hint = 'raise the size limit of the agent, or publish a smaller repository';
    return gitError('TOO_LARGE', `the fetch brought more than ${limits.maxBytes} bytes`, hint);
  }
  const hint = 'the git server accepts connections but does not get on; the agent tries again by itself';
  const ms = why === 'silent' ? limits.silentMs : limits.totalMs;
  const reason = why === 'silent' ? `no progress for ${ms} ms` : `not done after ${ms} ms`;
  return gitError('FETCH_FAILED', `git fetch: ${reason}`, hint);
}
