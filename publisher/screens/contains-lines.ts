import { visible } from '../../runtime/safe-text.ts';
import { deploymentName } from '../../schemas/deployment.ts';
import type { CommitId } from '../../schemas/values.ts';
import type { TakenBack } from '../brings-back.ts';
import { line, type Screen } from './columns.ts';
import { GENERATED_REASON } from './history-screen.ts';
import { names, short } from './words.ts';

/** A person reads the newest; the rest is counted. */
const MAX_LINES = 10;

/** `warning: contains 612c46b772, which d-3 took back (customers complain)`. */
export function bringsBackLines(tip: CommitId, taken: readonly TakenBack[], screen: Screen): string[] {
  const words = taken.slice(0, MAX_LINES).map(({ commitId, deployment, reason }) => {
    const why = reason === '' || GENERATED_REASON.test(reason) ? '' : ` (${visible(reason, 200)})`;
    const what = commitId === tip ? `${short(commitId)} is what` : `contains ${short(commitId)}, which`;
    return `warning: ${what} ${deploymentName(deployment)} took back${why}`;
  });
  const more = taken.length > MAX_LINES ? [`warning: and ${taken.length - MAX_LINES} more that were taken back`] : [];
  return [...words, ...more].map((each) => line(screen, `  ${each}`, 'busy'));
}

/** For commits in quarantine of which no repository at hand can tell whether they are contained. */
export function unknownLines(unknown: readonly CommitId[], screen: Screen): string[] {
  if (unknown.length === 0) return [];
  const which = names(unknown.map(short), 3);
  const words = `warning: no clone here tells whether it contains a commit in quarantine: ${which}`;
  return [line(screen, `  ${words}`, 'busy')];
}
