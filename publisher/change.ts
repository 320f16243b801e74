import type { CommitTitle, Remote } from '../git/host/remote.ts';
import { visible } from '../runtime/safe-text.ts';
import type { CommitId } from '../schemas/values.ts';
import { line } from './screens/columns.ts';
import type { Screen } from './screens/theme.ts';
import { count, short } from './screens/words.ts';

/** What lies between the commit that config holds and the one to be published. */
export interface Change {
  /** Null: nothing was published yet, or nobody can read what was. */
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

/** A person looks at the newest; the rest is counted. */
const MAX_TITLES = 10;

/** @param elsewhere whether it comes from another repository or goes to another place than before. */
export function changeLines({ from, to, ahead, behind, titles }: Change, elsewhere: boolean, screen: Screen): string[] {
  if (from === null) return [];
  if (from === to)
    return [
      elsewhere
        ? '  the commit stays the same'
        : '  the same commit again: every agent checks it, and puts right what somebody changed',
    ];
  if (ahead === null || behind === null) return [];
  const shown = titles.slice(0, MAX_TITLES);
  const left = (ahead === 0 ? behind : ahead) - shown.length;
  return [
    line(screen, `  ${headWords(ahead, behind, from)}`, ...(behind > 0 ? (['busy'] as const) : [])),
    ...shown.map(({ commitId, title }) => line(screen, `    ${short(commitId)}  ${visible(title, 200)}`)),
    ...(left > 0 ? [`    and ${left} more`] : []),
  ];
}

function headWords(ahead: number, behind: number, from: CommitId): string {
  if (behind === 0) return `${count(ahead, 'commit')}:`;
  if (ahead === 0) return `goes back ${count(behind, 'commit')}, without:`;
  return `goes back: no descendant of ${short(from)}; leaves out ${count(behind, 'commit')} and brings ${count(ahead, 'commit')}:`;
}
