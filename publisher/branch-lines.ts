import { visible } from '../runtime/visible.ts';
import type { Deployment } from '../schemas/deployment.ts';
import type { Change } from './change.ts';
import { short } from './words.ts';

/**
 * A rollback changes no branch: the next push would bring back what was undone. What to type about it; nothing where the
 * way led forward, since the branch has all of that already.
 * @param change from what was undone to what is shown now.
 */
export function branchLines(undone: Deployment, to: Deployment, { ahead, behind }: Change): string[] {
  const [left, back] = [undone.target.commitId, to.target.commitId];
  if (left === back || behind === 0) return [];
  const branch = undone.ref === null ? 'its branch' : visible(undone.ref.replace(/^refs\/heads\//, ''), 100);
  const still = `${branch} still contains ${short(left)}`;
  const range = `${back.slice(0, 12)}..${left.slice(0, 12)}`;
  if (ahead !== 0 || behind === null) return [`${still}: git log ${range} shows what a push would bring back`];
  if (behind === 1) return [`${still}: git revert ${left.slice(0, 12)}`];
  return [`${still} and ${behind - 1} more before it: git revert --no-commit ${range}, then git commit`];
}
