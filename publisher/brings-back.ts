import { readHistory } from '../fleet/history.ts';
import type { CommitGraph } from '../git/host/commit-graph.ts';
import { isCommitId } from '../schemas/commit-id.ts';
import type { Deployment } from '../schemas/deployment.ts';
import type { CommitId } from '../schemas/values.ts';
import type { Znodes } from '../schemas/znodes.ts';
import type { Session } from '../zookeeper/session.ts';
import { type Ancestry, createAncestry } from './ancestry.ts';

/** A commit that a rollback took away from the fleet. */
export interface TakenBack {
  readonly commitId: CommitId;
  /** The number of the rollback, and its reason. */
  readonly deployment: number;
  readonly reason: string;
}

/** Rollbacks that are older than these many records are ignored. */
export const RECORDS_READ = 50;

/**
 * Pure: the commit that each rollback took away, newest first. A commit that was taken away twice counts once, for the
 * newest rollback.
 * @param history newest first.
 */
export function takenBackIn(history: readonly Deployment[]): TakenBack[] {
  const found = new Map<string, TakenBack>();
  for (const { number, via, previous, target, reason } of history) {
    const left = history.find((record) => record.number === previous)?.target.commitId;
    // A retried rollback took nothing away.
    if (via !== 'rollback' || left === undefined || left === target.commitId || found.has(left)) continue;
    if (isCommitId(left)) found.set(left, { commitId: left, deployment: number, reason });
  }
  return [...found.values()];
}

/**
 * The same, read from the shared state. Never throws: it runs beside a publish or after it, and must not make it fail.
 * @param from what config held before; null: nothing, or it could not be read.
 */
export async function findBringsBack(
  { session, znodes }: { readonly session: Session; readonly znodes: Znodes },
  graph: Pick<CommitGraph, 'containedIn'> | null,
  from: CommitId | null,
  to: CommitId,
): Promise<TakenBack[]> {
  if (from === null || from === to) return [];
  try {
    const history = await readHistory(session, znodes, RECORDS_READ);
    return await readBringsBack(history, createAncestry(graph, to), createAncestry(graph, from));
  } catch {
    return [];
  }
}

/**
 * What the commit to be published brings back: commits that a rollback took away, and that the replaced commit does not
 * contain. A warning, never a refusal; for that there is `rollback --quarantine`.
 * @param next the ancestry of the commit to be published; `current`: of the one it replaces.
 */
export async function readBringsBack(
  history: readonly Deployment[],
  next: Ancestry,
  current: Ancestry,
): Promise<TakenBack[]> {
  const taken = takenBackIn(history);
  if (taken.length === 0) return [];
  const brought = await next.contains(taken.map(({ commitId }) => commitId));
  const kept = brought.length === 0 ? [] : await current.contains(brought);
  return taken.filter(({ commitId }) => brought.includes(commitId) && !kept.includes(commitId));
}
