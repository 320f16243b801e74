import { readHistory } from '../fleet/history.ts';
import type { CommitGraph } from '../git/host/commit-graph.ts';
import { isCommitId } from '../schemas/commit-id.ts';
import type { Deployment } from '../schemas/deployment.ts';
import type { CommitId } from '../schemas/values.ts';
import type { Znodes } from '../schemas/znodes.ts';
import type { Session } from '../zookeeper/session.ts';
import { type Ancestry, createAncestry } from './ancestry.ts';

/** A commit that a rollback took from the fleet. */
export interface TakenBack {
  readonly commitId: CommitId;
  /** The number of the rollback, and why it was done. */
  readonly deployment: number;
  readonly reason: string;
}

/** Older rollbacks than those among so many records are history. */
export const RECORDS_READ = 50;

/**
 * What was left by each rollback, the newest first; of one commit that was left twice the last time. Pure.
 * @param history newest first.
 */
export function takenBackIn(history: readonly Deployment[]): TakenBack[] {
  const found = new Map<string, TakenBack>();
  for (const { number, via, previous, target, reason } of history) {
    const left = history.find((record) => record.number === previous)?.target.commitId;
    // A way back that was tried again left nothing.
    if (via !== 'rollback' || left === undefined || left === target.commitId || found.has(left)) continue;
    if (isCommitId(left)) found.set(left, { commitId: left, deployment: number, reason });
  }
  return [...found.values()];
}

/**
 * The same from the shared state. Never throws: it is asked beside a publish, or after it, and must not fail that.
 * @param from what config held before; null: nothing, or nothing that can be read.
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
 * What the commit to be published brings back: commits that a rollback took away, and that what it replaces does not
 * contain. A warning, never a refusal: `rollback --quarantine` refuses.
 * @param next of the commit to be published; `current` of the one it replaces.
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
