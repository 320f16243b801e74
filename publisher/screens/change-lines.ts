import { visible } from '../../runtime/safe-text.ts';
import { type Deployment, UNREADABLE } from '../../schemas/deployment.ts';
import type { CommitId } from '../../schemas/values.ts';
import type { Change } from '../change.ts';
import { line, type Screen } from './columns.ts';
import { count, short } from './words.ts';

/*
 * What a deployment changes: the commits, the repository and the place; and what a branch still contains after a
 * rollback.
 */

/** A person reads the newest; the rest is counted. */
const MAX_TITLES = 10;

/** @param elsewhere whether the repository or the place changes. */
export function changeLines({ from, to, ahead, behind, titles }: Change, elsewhere: boolean, screen: Screen): string[] {
  if (from === null) return [];
  if (from === to)
    return [
      elsewhere
        ? '  the commit stays the same'
        : '  the same commit again: every agent checks it and restores modified files',
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

/** The repository, and the place on the servers. */
interface Place {
  readonly url: string;
  readonly relativePath: string;
}

/**
 * What changes besides the commit, and what happens to the old place. Empty if nothing else changes, or the target
 * before is unknown.
 */
export function placeLines(before: Place | null, after: Place): string[] {
  if (before === null || before.url === UNREADABLE) return [];
  const [from, to] = [visible(before.relativePath, 200), visible(after.relativePath, 200)];
  return [
    ...(before.url === after.url
      ? []
      : [`  the repository changes: from ${visible(before.url)} to ${visible(after.url)}`]),
    ...(before.relativePath === after.relativePath
      ? []
      : [`  the place changes: from ${from} to ${to}; ${from} stays as it is, no deployment changes it any more`]),
  ];
}

/**
 * A rollback changes no branch, so the next push would bring back what was undone. Says what to type about it. Empty if
 * the way led forward, where the branch already has everything, or if no branch is known to have what was undone.
 * @param change from the undone commit to the one that is shown now.
 * @param branch one that contains the undone commit; null: none is known.
 */
export function branchLines(
  undone: Deployment,
  to: Deployment,
  { ahead, behind }: Change,
  branch: string | null,
): string[] {
  const [left, back] = [undone.target.commitId, to.target.commitId];
  if (left === back || undone.target.url !== to.target.url) return [];
  if (branch === null || ahead === null || behind === null || behind === 0) return [];
  const still = `${visible(branch, 100)} still contains ${short(left)}`;
  const range = `${back.slice(0, 12)}..${left.slice(0, 12)}`;
  if (ahead !== 0) return [`${still}: git log ${range} shows what a push would bring back`];
  if (behind === 1) return [`${still}: git revert ${left.slice(0, 12)}`];
  return [`${still} and ${behind - 1} more before it: git revert --no-commit ${range}, then git commit`];
}
