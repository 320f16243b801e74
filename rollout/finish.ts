import { deploymentName } from '../schemas/deployment.ts';
import { durationOf, type Policy } from '../schemas/policy.ts';
import { hasGivenUp } from '../schemas/report.ts';
import type { Rollout } from '../schemas/rollout.ts';
import { isSameTarget } from '../schemas/target.ts';
import { type Action, changing, rest } from './action.ts';
import type { RolloutAgent } from './agent-state.ts';
import { type Broken, failuresOf } from './budget.ts';
import { inQuarantine, type Observed, type WantedDeployment } from './observed.ts';
import { failuresIn, NO_DEADLINE, namesOf, outcomeOf, type Summary, showWords, summarize } from './summary.ts';

/**
 * The failure budget is exceeded: go back to the last proven target, or wait for a person, as the policy says. A commit
 * is rolled back and put into quarantine only if an agent had a permit to activate it; a full disk or an unreachable
 * origin before that is not the commit's fault.
 */
export function finish(
  picture: Observed,
  wanted: WantedDeployment,
  rollout: Rollout,
  policy: Policy,
  broken: Broken,
): Action {
  const tally = summarize(picture, rollout, policy);
  const ended: Rollout = { ...rollout, failures: failuresIn(rollout, failuresOf(tally, rollout)), soakAt: null };
  const base = wayBack(picture, rollout);
  const stays =
    policy.onFailure === 'rollback' && wanted.target ? whyNotBack(picture, wanted.target, base, broken) : '';
  if (policy.onFailure !== 'rollback' || stays !== '' || !base || !wanted.target) {
    const why = stays === '' ? broken.why : `${broken.why}; no rollback: ${stays}`;
    return changing('halt', why, { ...ended, state: 'halted', reason: why });
  }
  if (picture.watched < WATCH_BEFORE_BACK_MS) return rest('a new leader watches for 5 s before it goes back');
  return {
    ...{ do: 'roll back', why: broken.why, base, commitId: wanted.target.commitId },
    rollout: { ...ended, base, state: 'rolled-back', reason: broken.why },
    outcome: { number: rollout.deployment, outcome: outcomeOf(picture, ended, 'rolled-back', broken.why) },
  };
}

/**
 * The reports that a new leader finds may date from before a loss of writes that it cannot know about. Within this
 * time, agents that do know it have refused the target.
 */
const WATCH_BEFORE_BACK_MS = 5_000;

/**
 * The base of the rollout. If a person has since put that into quarantine: the newest proven one that may be activated.
 */
function wayBack(picture: Observed, { base }: Rollout): Rollout['base'] {
  const { proven } = picture;
  if (!base || !proven || inQuarantine(picture, base.commitId) === null) return base;
  if (inQuarantine(picture, proven.target.commitId) !== null) return base;
  return { deployment: proven.number, ...proven.target };
}

/** Empty: there is a target to go back to. */
function whyNotBack(
  picture: Observed,
  target: NonNullable<WantedDeployment['target']>,
  base: Rollout['base'],
  { byCommit }: Broken,
): string {
  if (!byCommit) return 'none of them had a permit yet, so it is not the commit';
  if (!base) return 'nothing was proven before it';
  if (isSameTarget(base, target)) return `${deploymentName(base.deployment)}, the last proven one, is the same target`;
  const quarantined = inQuarantine(picture, base.commitId);
  return quarantined === null ? '' : `${deploymentName(base.deployment)} is in quarantine: ${quarantined}`;
}

/** Whether no agent shows it and none still could: each has given up, or has been away for longer than the deadline. */
export function isHopeless(tally: Summary, { deadline }: Policy, now: number): boolean {
  const unable = tally.of('unable');
  const awaited = tally.of('offline').filter(({ seen }) => now - seen.heard <= durationOf(deadline));
  if (unable.length === 0 || awaited.length + tally.of('done', 'ready', 'working', 'gone').length > 0) return false;
  return unable.every(({ seen }) => hasGivenUp(seen.report));
}

function whyNone(failed: readonly RolloutAgent[], unable: readonly RolloutAgent[]): string {
  if (failed.length > 0) return `${namesOf(failed)} failed, and no agent shows it`;
  return `${namesOf(unable)} cannot deploy it, and no agent shows it`;
}

/** No agent is left: the deployment ended well, or as well as the policy accepts. */
export function prove(
  picture: Observed,
  { target }: WantedDeployment,
  rollout: Rollout,
  tally: Summary,
  broken: string | null,
): Action {
  const done = tally.of('done');
  const number = rollout.deployment;
  const failed = tally.of('failed');
  const unable = tally.of('unable');
  const failures = failuresIn(rollout, tally.of('failed', 'unable'));
  const ended = { ...rollout, members: [], soakAt: null, failures };
  const isOver = done.length + failed.length > 0 || isHopeless(tally, rollout.policy ?? NO_DEADLINE, picture.now);
  if (!isOver || !target) return rest('no agent shows it yet');
  // An excused agent is no reason to fail, but at least one agent must show the target.
  const bad = broken ?? (done.length === 0 ? whyNone(failed, unable) : null);
  if (bad) {
    const outcome = outcomeOf(picture, rollout, 'failed', bad);
    return changing('fail', bad, { ...ended, state: 'failed', reason: bad }, { outcome: { number, outcome } });
  }
  const without = tally.of('failed', 'unable', 'out', 'offline', 'gone');
  const why = `${showWords(done.length)}${without.length === 0 ? '' : `; without ${namesOf(without)}`}`;
  const proven: Rollout = { ...ended, state: 'proven', base: { deployment: number, ...target }, reason: '' };
  return changing('prove', why, proven, { outcome: { number, outcome: outcomeOf(picture, rollout, 'proven', '') } });
}
