import type { CommitGraph, CommitTitle } from '../git/host/commit-graph.ts';
import type { CommitId } from '../schemas/values.ts';

/** The commits between the one in config and the one to be published. */
export interface Change {
  /** Null: nothing was published yet, or config cannot be read. */
  readonly from: CommitId | null;
  readonly to: CommitId;
  /** The number of commits that are added and removed; null if no clone can tell. */
  readonly ahead: number | null;
  readonly behind: number | null;
  /** The added commits, newest first; the removed ones if the change only goes back. */
  readonly titles: readonly CommitTitle[];
}

/** @param graph of a clone; null if there is none. What cannot be determined is left out. */
export async function readChange(graph: CommitGraph | null, from: CommitId | null, to: CommitId): Promise<Change> {
  const unknown: Change = { from, to, ahead: null, behind: null, titles: [] };
  if (graph === null || from === null) return unknown;
  if (from === to) return { from, to, ahead: 0, behind: 0, titles: [] };
  const counts = await graph.compare(from, to);
  if (!counts) return unknown;
  const back = counts.ahead === 0;
  const titles = await graph.titles(back ? to : from, back ? from : to);
  return { from, to, ...counts, titles };
}
