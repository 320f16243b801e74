import { visible } from '../../runtime/safe-text.ts';
import type { Deployment } from '../../schemas/deployment.ts';
import type { Change } from '../change.ts';
import { short } from './words.ts';

/**
 * A rollback changes no branch: the next push would bring back what was undone. What to type about it; nothing where the
 * way led forward, since the branch has all of that already, nor where it is not known that a branch has what was undone.
 * @param change from what was undone to what is shown now.
 * @param branch one that contains what was undone; null: none is known.
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
