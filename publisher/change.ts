import type { CommitGraph, CommitTitle } from '../git/host/commit-graph.ts';
import type { CommitId } from '../schemas/values.ts';

/** What lies between the commit that config holds and the one to be published. */
export interface Change {
  /** Null: nothing was published yet, or it cannot be read. */
  readonly from: CommitId | null;
  readonly to: CommitId;
  /** Commits that come and commits that go; null where no clone tells. */
  readonly ahead: number | null;
  readonly behind: number | null;
  /** Newest first: what comes; where the change only goes back, what goes. */
  readonly titles: readonly CommitTitle[];
}

/** @param graph of a clone; null where none takes part. What cannot be told is left out. */
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
