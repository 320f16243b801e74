import type { CommitTitle, Remote } from '../git/host/remote.ts';
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

/** @param directory a clone; null where none takes part. Never throws: what cannot be told is left out. */
export async function readChange(
  remote: Remote,
  directory: string | null,
  from: CommitId | null,
  to: CommitId,
): Promise<Change> {
  const unknown: Change = { from, to, ahead: null, behind: null, titles: [] };
  if (directory === null || from === null) return unknown;
  if (from === to) return { from, to, ahead: 0, behind: 0, titles: [] };
  const counts = await remote.compare(directory, from, to).catch(() => null);
  if (!counts) return unknown;
  const back = counts.ahead === 0;
  const titles = await remote.commitTitles(directory, back ? to : from, back ? from : to).catch(() => []);
  return { from, to, ...counts, titles };
}
