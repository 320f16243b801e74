import { isSuspended } from '../schemas/report.ts';
import type { Rollout } from '../schemas/rollout.ts';
import { type Action, changing, rest } from './action.ts';
import type { RolloutAgent } from './agent-state.ts';
import type { Observed, WantedDeployment } from './observed.ts';
import { failuresIn, NO_DEADLINE, namesOf, outcomeOf, showWords, summarize } from './summary.ts';

/**
 * Without a policy all agents deploy at once and need no permit; only the end has to be judged. Expected are the agents
 * that are online, or have reported about this target. An expected agent that went away is waited for, unless it left
 * for good.
 */
export function unphased(picture: Observed, { target }: WantedDeployment, rollout: Rollout): Action {
  const tally = summarize(picture, rollout, NO_DEADLINE);
  const spoke = ({ seen }: RolloutAgent) => seen.online || seen.report?.targetVersion === rollout.targetVersion;
  const expected = tally.agents.filter(
    (each) => spoke(each) && each.standing !== 'forgotten' && !isSuspended(each.seen.report),
  );
  const done = expected.filter(({ standing }) => standing === 'done');
  const ended = expected.filter(({ standing }) => ['failed', 'unable', 'out'].includes(standing));
  const number = rollout.deployment;
  if (expected.length === 0 || !target) return rest('no agent is online');
  if (done.length === expected.length) {
    const why = showWords(done.length);
    const proven: Rollout = { ...rollout, state: 'proven', base: { deployment: number, ...target }, reason: '' };
    return changing('prove', why, proven, { outcome: { number, outcome: outcomeOf(picture, rollout, 'proven', '') } });
  }
  if (done.length + ended.length === expected.length) {
    const why = `${namesOf(ended)} gave up: a person must act`;
    const failures = failuresIn(rollout, ended);
    const outcome = outcomeOf(picture, rollout, 'failed', why);
    return changing(
      'fail',
      why,
      { ...rollout, state: 'failed', reason: why, failures },
      { outcome: { number, outcome } },
    );
  }
  return rest(`${done.length} of ${expected.length} agents show it`);
}
