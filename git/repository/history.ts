import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { CommitId, RepositoryUrl } from '../../schemas/values.ts';
import { objectFormatOf } from '../run/commit-id.ts';
import type { GitAccess } from '../run/credentials.ts';
import type { FetchLimits } from '../run/deadline.ts';
import { gitError, mayBeDamage } from '../run/errors.ts';
import { type Fetcher, fetcher } from './fetch-command.ts';
import { exists, formatOf, type Repository } from './repository.ts';
import { removeStaleOfFetch } from './stale-files.ts';

/**
 * Whether a commit is on a branch, by a bare repository of commits alone: no tree and no file is fetched into it. It is
 * apart from the store, because a filtered fetch would make a partial clone of that. It is a cache: when in doubt it is
 * deleted. Nothing in it counts without the tips of the request at hand, so neither an old answer nor an object of
 * another repository proves anything.
 */
export interface Reach {
  /** The first of the refs whose history has the commit. */
  readonly ref: string | null;
  /** How many commits were looked through. */
  readonly looked: number;
  /** Whether that was the whole history. */
  readonly all: boolean;
}

interface HistoryParts extends Pick<Repository, 'git' | 'clock'> {
  readonly directory: string;
  readonly access: GitAccess;
  readonly limits: FetchLimits;
}

export interface ReachQuestion {
  readonly url: RepositoryUrl;
  readonly commitId: CommitId;
  /** Full names of branches, whose whole history counts, and of tags, of which only the commit itself counts. */
  readonly refs: readonly string[];
}

/** How deep the history of a branch is asked for, one request after the other. */
const DEPTHS = [50, 500, 5_000];

/** @throws FleetError NO_FILTER if the server cannot leave out the files and the commit is no tip; git's failures. */
export async function findRef(parts: HistoryParts, question: ReachQuestion, signal: AbortSignal): Promise<Reach> {
  try {
    return await lookThrough(parts, question, signal);
  } catch (error) {
    const isOurs = (error as { code?: unknown }).code === 'STORE_LOCKED' || mayBeDamage(error) || isBroken(error);
    if (signal.aborted || !isOurs) throw error;
    await rm(parts.directory, { recursive: true, force: true });
    return await lookThrough(parts, question, signal).catch((again: unknown) => {
      if (signal.aborted || !(mayBeDamage(again) || isBroken(again))) throw again;
      // In a new repository that is no damage of ours.
      throw gitError('FETCH_FAILED', `the history that the server sent is not whole: ${(again as Error).message}`);
    });
  }
}

const isBroken = (error: unknown): boolean => (error as { code?: unknown }).code === 'STORE_BROKEN';

async function lookThrough(parts: HistoryParts, question: ReachQuestion, signal: AbortSignal): Promise<Reach> {
  await makeReady(parts, question.commitId);
  let before: Reach = { ref: null, looked: 0, all: false };
  for (const depth of DEPTHS) {
    const tips = await fetchHistory(parts, question, depth, signal).catch(async (error: unknown) => {
      if ((error as { code?: unknown }).code !== 'NO_FILTER') throw error;
      return await tipsAlone(parts, question, error, signal);
    });
    if (typeof tips === 'string') return { ref: tips, looked: 1, all: false };
    const found = await walk(parts, tips, question.commitId);
    // A history that does not grow with the depth is at its end.
    const all = found.all || found.looked === before.looked;
    if (found.ref !== null || all) return { ...found, all };
    before = found;
  }
  return before;
}

/** A ref of the server, and its name in our repository. */
type Tip = readonly [ref: string, name: string];

/** @returns the refs that the server has. */
async function fetchHistory(
  parts: HistoryParts,
  { url, refs }: ReachQuestion,
  depth: number,
  signal: AbortSignal,
): Promise<readonly Tip[]> {
  const tips = refs.map((ref, at): Tip => [ref, `refs/tips/${at}`]);
  const fetch = filteredFetch(parts, url, signal);
  const bring = async (some: readonly Tip[]): Promise<readonly Tip[]> => {
    try {
      await fetch(
        [`--depth=${depth}`, '--filter=tree:0'],
        some.map(([ref, name]) => `+${ref}:${name}`),
      );
      return some;
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'COMMIT_NOT_FOUND') throw error;
      return [];
    }
  };
  const all = await bring(tips);
  if (all.length > 0 || tips.length === 1) return all;
  // One of them is missing there. The others still count.
  const found: Tip[] = [];
  for (const tip of tips) found.push(...(await bring([tip])));
  return found;
}

/**
 * Ends the request as soon as git says that the server has no filter, which is before any object comes: otherwise the
 * server would send all files of all these commits.
 */
function filteredFetch(parts: HistoryParts, url: RepositoryUrl, signal: AbortSignal): Fetcher {
  return async (depth, refspecs) => {
    const ended = new AbortController();
    let heard = '';
    const hear = (words: string) => {
      heard = `${heard}${words}`.slice(0, MAX_HEARD);
      if (NO_FILTER.test(heard)) ended.abort();
    };
    const either = AbortSignal.any([signal, ended.signal]);
    try {
      await fetcher(parts, url, parts.access, parts.limits, either, hear)(depth, refspecs);
    } catch (error) {
      if (signal.aborted || !ended.signal.aborted) throw error;
    }
    if (ended.signal.aborted) throw gitError('NO_FILTER', 'the git server cannot send commits without their files');
  };
}

/** The words of our own git. What the server writes has `remote: ` before it. */
const MAX_HEARD = 16 * 1024;
const NO_FILTER = /^warning: filtering not recognized by server/m;

/** Without a filter, only the tips themselves are looked at. @throws `cause` if none of them is the commit. */
async function tipsAlone(
  { git, access, limits }: HistoryParts,
  { url, refs, commitId }: ReachQuestion,
  cause: unknown,
  signal: AbortSignal,
): Promise<string> {
  const said = await git.output(['ls-remote', '--', url, ...refs, ...refs.map((ref) => `${ref}^{}`)], {
    ...{ config: access.config, env: access.env, protocols: access.protocols },
    ...{ timeoutMs: limits.silentMs, signal },
  });
  const lines = said.split('\n');
  const ref = refs.find((each) => ['', '^{}'].some((peeled) => lines.includes(`${commitId}\t${each}${peeled}`)));
  if (ref === undefined) throw cause;
  return ref;
}

/** Whether one of these histories has the commit, by what was just fetched. */
async function walk({ git, directory }: HistoryParts, tips: readonly Tip[], commitId: CommitId): Promise<Reach> {
  const call = { gitDir: directory, config: ['core.commitGraph=false'] };
  let looked = 0;
  for (const [ref, name] of tips) {
    const isTag = ref.startsWith('refs/tags/');
    const said = await git.output(['rev-list', ...(isTag ? ['--no-walk'] : []), name, '--'], call);
    const ids = said.split('\n').filter((line) => line !== '');
    looked += ids.length;
    if (ids.includes(commitId)) return { ref, looked, all: false };
  }
  const shallow = (await git.output(['rev-parse', '--is-shallow-repository'], call)).trim();
  return { ref: null, looked, all: shallow === 'false' };
}

/** Each request leaves a pack. */
const MAX_PACKS = 50;

/**
 * Makes the repository, or makes it again: for another hash, and before its packs become many. A git that was killed
 * there, as for every interrupt, has left its locks and half packs.
 */
async function makeReady({ git, directory }: HistoryParts, commitId: CommitId): Promise<void> {
  const format = objectFormatOf(commitId);
  if (await exists({ directory })) {
    const packs = await readdir(join(directory, 'objects', 'pack')).catch(() => []);
    const present = await formatOf({ directory }).catch(() => null);
    await removeStaleOfFetch(directory);
    if (present === format && packs.length <= MAX_PACKS * FILES_OF_A_PACK) return;
  }
  await rm(directory, { recursive: true, force: true });
  await git.output(['init', '--quiet', '--bare', '--template=', `--object-format=${format}`, '--', directory]);
}

/** The pack, its index, its reverse index, and the mark of a filtered one. */
const FILES_OF_A_PACK = 4;
