/**
 * The coordinator's decisions, pure: the picture of the fleet in, the next action out. Continue in begin.ts (a target
 * without a rollout gets one) and phases.ts (a rollout with a policy advances). The remaining decisions are below.
 */
import type { Rollout } from '../schemas/rollout.ts';
import { type Action, changing, rest } from './action.ts';
import { beginRollout } from './begin.ts';
import { inQuarantine, type Observed, type WantedDeployment } from './observed.ts';
import { advance } from './phases.ts';
import { NO_DEADLINE, outcomeOf, showWords, summarize } from './summary.ts';
import { unphased } from './unphased.ts';
import { haltSetBack, whySetBack } from './went-back.ts';

/**
 * The leader's next action, and the reason in plain words. Every leader gets the same action from the same picture, so
 * a new leader continues where the last one ended. Every action except a rest changes the shared state; a rest says
 * what it waits for.
 */
export function plan(picture: Observed): Action {
  const { wanted, rollout, unknownState } = picture;
  if (!wanted) return rest('nothing was published yet');
  if (!wanted.record) return { do: 'adopt', why: 'config was set by another ZooKeeper client' };
  if (unknownState !== null)
    return rest(`its rollout is ${unknownState}, which this version does not know: it is left alone`);
  const setBack = whySetBack(picture, wanted);
  if (rollout?.targetVersion !== wanted.targetVersion) return beginRollout(picture, wanted, wanted.record, setBack);
  if (setBack !== null && rollout.state === 'running')
    return changing('halt', setBack, haltSetBack(rollout, setBack, picture.agents));
  switch (rollout.state) {
    case 'running':
      return running(picture, wanted, rollout);
    case 'paused':
      return rest(`paused by ${rollout.paused?.by ?? 'unknown'}: ${rollout.paused?.reason ?? ''}`);
    case 'halted':
      // It halted because the policy could not be read, and a person has fixed that.
      if (isWithoutPolicy(rollout) && !picture.policy.unreadable)
        return beginRollout(picture, wanted, wanted.record, setBack);
      return rest(`halted: ${rollout.reason}`);
    case 'proven':
      return rest('proven');
    case 'failed':
      return provenLate(picture, wanted, rollout) ?? ended(picture, wanted, rollout);
    case 'aborted':
    case 'rolled-back':
      return ended(picture, wanted, rollout);
  }
}

function running(picture: Observed, wanted: WantedDeployment, rollout: Rollout): Action {
  if (!rollout.permits) return unphased(picture, wanted, rollout);
  if (rollout.policy === null) return changing('halt', NO_POLICY, { ...rollout, state: 'halted', reason: NO_POLICY });
  const quarantined = wanted.target && inQuarantine(picture, wanted.target.commitId);
  if (quarantined === null) return advance(picture, wanted, rollout, rollout.policy);
  const why = `the commit is in quarantine: ${quarantined}`;
  return changing('halt', why, { ...rollout, state: 'halted', reason: why });
}

const NO_POLICY = 'the policy cannot be read: gitfleet policy set FILE fixes it';

/**
 * A failure may be fixed on the servers. Once all of them show the target, it is proven late, and rollbacks may go
 * there.
 */
function provenLate(picture: Observed, { target }: WantedDeployment, rollout: Rollout): Action | null {
  if (!target || inQuarantine(picture, target.commitId) !== null) return null;
  const { agents } = summarize(picture, rollout, rollout.policy ?? NO_DEADLINE);
  const expected = agents.filter(({ standing }) => standing !== 'forgotten' && standing !== 'out');
  if (expected.length === 0 || !expected.every(({ standing }) => standing === 'done')) return null;
  const why = `${showWords(expected.length)}: proven late`;
  const base = { deployment: rollout.deployment, ...target };
  const outcome = outcomeOf(picture, rollout, 'proven', why);
  const proven: Rollout = { ...rollout, state: 'proven', base, reason: '', failures: [] };
  return changing('prove', why, proven, { outcome: { number: rollout.deployment, outcome } });
}

/** A person's command aborted it. That person may not have been able to write the outcome. */
function ended(picture: Observed, { record }: WantedDeployment, rollout: Rollout): Action {
  const judged = record?.outcome && record.outcome.state !== 'timed-out';
  if (judged || rollout.state !== 'aborted') return rest(`${rollout.state}: ${rollout.reason}`);
  const outcome = outcomeOf(picture, rollout, 'aborted', rollout.reason);
  return changing('outcome', rollout.reason, null, { outcome: { number: rollout.deployment, outcome } });
}

const isWithoutPolicy = ({ permits, policy, setBack }: Rollout): boolean => permits && policy === null && !setBack;
