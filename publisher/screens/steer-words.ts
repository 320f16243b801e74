import { FleetError } from '../../runtime/errors.ts';
import { visible } from '../../runtime/safe-text.ts';
import { deploymentName } from '../../schemas/deployment.ts';
import type { Rollout, RolloutState } from '../../schemas/rollout.ts';
import type { RetryDecision } from '../retry.ts';
import type { Steered, Steering } from '../steer.ts';
import type { SteerResult } from '../steer-rollout.ts';
import { abortWords, waveName } from './wave-words.ts';
import { names } from './words.ts';

/** What a verb did to a rollout, in one line. @throws FleetError ROLLOUT_OVER if it was refused. */
export function steerWords(result: SteerResult): string {
  const name = deploymentName(result.rollout.deployment);
  switch (result.do) {
    case 'passed':
      return `${deploymentName(result.meant.deployment)} has moved on: ${waveName(result.meant)} is over`;
    case 'refuse':
      throw overRefusal(name, result.verb, result.rollout);
    case 'nothing':
      return `${name} ${nothingWords(result.verb, result.rollout)}`;
    case 'write':
      return `${name} ${writtenWords(result)}`;
  }
}

function nothingWords(verb: Steering, rollout: Rollout): string {
  const { state } = rollout;
  if (verb === 'pause' && state === 'paused') return `is paused already, by ${visible(rollout.paused?.by ?? '', 100)}`;
  if (verb === 'pause' || verb === 'abort') return `${rolloutStateWords(rollout)}; nothing is in progress`;
  if (state === 'proven') return 'is proven already';
  if (state === 'halted') return 'continues automatically once the policy is readable: gitfleet policy set FILE';
  if (verb === 'resume') return 'is in progress already';
  return rollout.permits ? `${waveName(rollout)} is promoted already` : 'goes to all agents at once: it has no waves';
}

function writtenWords({ verb, before, rollout }: Extract<Steered, { do: 'write' }>): string {
  if (verb === 'pause') return 'is paused: no more permits; agents that have one continue';
  if (verb === 'abort') return 'is aborted: no further agent activates it; what runs stays';
  const wave = waveName(before);
  if (before.state === 'running') return `${wave} is promoted: the next wave starts as soon as this one is healthy`;
  const failed = before.state === 'halted' ? before.failures.map((each) => each.agentId) : [];
  const without = failed.length === 0 ? '' : ` without ${names(failed)}`;
  return `continues${without}${rollout.promoted?.wave === before.wave && verb === 'promote' ? `; ${wave} passes without its soak` : ''}`;
}

/** `has failed (web-1 ...)`: how a rollout ended or stopped. */
function rolloutStateWords({ state, reason }: Rollout): string {
  if (reason === '') return STATE_WORDS[state];
  if (state === 'aborted') return `is aborted${abortWords(reason)}`;
  return `${STATE_WORDS[state]} (${visible(reason, 300)})`;
}

const STATE_WORDS: Record<RolloutState, string> = {
  running: 'is in progress',
  paused: 'is paused',
  halted: 'is halted',
  proven: 'is proven',
  failed: 'has failed',
  aborted: 'is aborted',
  'rolled-back': 'was rolled back',
};

function overRefusal(name: string, verb: Steering, rollout: Rollout): FleetError {
  if (rollout.state !== 'proven') return FleetError.of('ROLLOUT_OVER', `${name} ${rolloutStateWords(rollout)}`);
  const reason = `${name} is proven: there is nothing to ${verb}`;
  return FleetError.of('ROLLOUT_OVER', reason, 'gitfleet rollback goes back to the deployment before it');
}

/** Why `retry` published nothing. @throws FleetError QUARANTINED if it was refused. */
export function retryWords(decision: Exclude<RetryDecision, 'publish'>, rollout: Rollout): string {
  const name = deploymentName(rollout.deployment);
  if (decision === 'refuse') {
    const reason = `${name} ${rolloutStateWords(rollout)}, and its commit is in quarantine`;
    const hint = 'publish a commit that fixes it; or this one anyway: gitfleet publish COMMIT --force -m WHY';
    throw FleetError.of('QUARANTINED', reason, hint);
  }
  if (rollout.state === 'proven') return `${name} is proven: there is nothing left to retry`;
  if (rollout.state === 'paused') return `${name} is paused; to continue: gitfleet resume`;
  return `${name} is in progress: there is nothing to retry yet`;
}
