import { isDeepStrictEqual } from 'node:util';
import { canaryOf, nextWave } from '../fleet/waves.ts';
import { type Deployment, deploymentName } from '../schemas/deployment.ts';
import { isTogether, type Policy } from '../schemas/policy.ts';
import { isSuspended } from '../schemas/report.ts';
import type { Rollout } from '../schemas/rollout.ts';
import { isSameTarget } from '../schemas/target.ts';
import { type Action, changing } from './action.ts';
import { inQuarantine, type Observed, type WantedDeployment } from './observed.ts';
import { outcomeOf } from './summary.ts';
import { haltSetBack } from './went-back.ts';

/**
 * Starts the rollout of a target that has none yet. The deployment before it thereby ends, if it had not ended before.
 * @param setBack why ZooKeeper was set back; the rollout is then halted from the start. Null: it was not.
 */
export function beginRollout(
  picture: Observed,
  wanted: WantedDeployment,
  record: Deployment,
  setBack: string | null,
): Action {
  const going = continued(picture, record, wanted) ?? fresh(picture, wanted, record);
  // A rollout that is over, or cannot start before its policy is readable, causes no action anyway.
  const starts = going.state === 'running' || going.state === 'paused';
  const begun = setBack === null || !starts ? going : haltSetBack({ ...going, members: [] }, setBack, picture.agents);
  const why = `${deploymentName(record.number)} starts${begun.reason === '' ? '' : `: ${begun.reason}`}`;
  return changing('start', why, begun, { outcome: endOfLast(picture, record) ?? endOfThis(picture, begun) });
}

/**
 * If the same three members are set again during a rollout, it continues, with its canary, its wave and its pause. If
 * the target has a policy of its own that differs from the one in force, a new rollout starts.
 */
function continued(
  { rollout: before, left, now }: Observed,
  record: Deployment,
  wanted: WantedDeployment,
): Rollout | null {
  const going = before?.state === 'running' || before?.state === 'paused';
  if (!before || !left || !going || record.via === 'rollback' || !wanted.target) return null;
  if (!isSameTarget(left.target, wanted.target) || left.via === 'rollback') return null;
  if (wanted.policy && !isDeepStrictEqual(wanted.policy, before.policy)) return null;
  const tries = {
    ...{ late: [], latePermitted: [], lateUnable: [], revoked: [], excused: [], failures: [] },
    setBackPassed: false,
    activateAt: null,
    cleared: [],
  };
  const { targetVersion } = wanted;
  return { ...before, ...tries, waveAt: now, soakAt: null, deployment: record.number, targetVersion };
}

function fresh(picture: Observed, wanted: WantedDeployment, record: Deployment): Rollout {
  const { rollout: before, policy, now } = picture;
  const rule = wanted.policy ?? policy.value;
  const inForce = rule && record.via === 'rollback' ? rollbackRule(rule) : rule;
  const rollout: Rollout = {
    ...{ deployment: record.number, targetVersion: wanted.targetVersion, leader: null, wave: 0, state: 'running' },
    ...{ base: baseOf(picture), paused: null, permits: inForce !== null, policy: inForce, startedAt: now },
    ...{ canary: [], members: [], waveAt: now, activateAt: null, cleared: [], soakAt: null, promoted: null },
    wayBack: record.via === 'rollback',
    ...{ late: [], latePermitted: [], lateUnable: [], revoked: [], excused: [], failures: [], steered: [] },
    ...{ reason: '', setBack: false, setBackPassed: false },
    // A leader whose version does not know instants would grant permits instead.
    must: isTogether(inForce) ? ['activateAt'] : [],
  };
  if (!wanted.target) return { ...rollout, state: 'failed', reason: 'no agent can read what config holds' };
  if (wanted.policy === null && policy.unreadable) {
    const why = `${policy.unreadable}: gitfleet policy set FILE fixes it`;
    return { ...rollout, state: 'halted', permits: true, reason: why };
  }
  return inForce ? { ...rollout, ...firstWave(picture, inForce, before?.canary ?? []) } : rollout;
}

function firstWave(
  { agents }: Observed,
  policy: Policy,
  before: readonly string[],
): Pick<Rollout, 'canary' | 'members'> {
  const online = agents.filter((each) => each.online && !isSuspended(each.report));
  const canary = canaryOf(policy, online, before, agents.length);
  if (policy.canary !== undefined) return { canary, members: canary };
  return { canary: [], members: nextWave(policy, online, agents.length) };
}

/**
 * A rollback to a proven target needs no canary, but still does not go to all agents at once, unless the policy is a
 * cutover; and there is nothing behind it to go back to. It does not wait for an instant: one server that is not ready
 * must not delay the others.
 */
const rollbackRule = (policy: Policy): Policy => ({
  maxParallel: isTogether(policy) ? '100%' : policy.maxParallel,
  ...{ deadline: policy.deadline, failureBudget: policy.failureBudget },
  ...{ soak: '0s', promote: 'auto', offlineBudget: '100%', onFailure: 'continue' },
});

/**
 * From history, which publishers also write while no agent leads. The last rollout knows what history has lost, or what
 * has no outcome because none could be written.
 */
function baseOf(picture: Observed): Rollout['base'] {
  const { proven } = picture;
  const last = picture.rollout?.base ?? null;
  const isNewer = last !== null && last.deployment > (proven?.number ?? 0);
  if (!proven || (isNewer && inQuarantine(picture, last.commitId) === null)) return last;
  return { deployment: proven.number, ...proven.target };
}

function endOfLast(picture: Observed, record: Deployment) {
  const { rollout, left } = picture;
  if (!rollout || !left || left.outcome || left.number === record.number) return null;
  const outcome = outcomeOf(picture, rollout, 'superseded', `${deploymentName(record.number)} came instead`);
  return { number: left.number, outcome };
}

/** A target that no agent can read is over before it begins. */
function endOfThis(picture: Observed, begun: Rollout) {
  if (begun.state !== 'failed') return null;
  return { number: begun.deployment, outcome: outcomeOf(picture, begun, 'failed', begun.reason) };
}
