import type { OwnFailure } from '../runtime/errors.ts';
import { visible } from '../runtime/safe-text.ts';
import { deploymentName } from '../schemas/deployment.ts';
import type { Rollout, RolloutState } from '../schemas/rollout.ts';
import { abortWords, waveName } from './screens/wave-words.ts';
import { names } from './screens/words.ts';

/** What a person says about the rollout that goes on. `retry`, which publishes, is retry.ts. */
export const STEERING = ['pause', 'resume', 'abort', 'promote'] as const;
export type Steering = (typeof STEERING)[number];

/** Who says so, and why. */
interface Word {
  readonly by: string;
  readonly reason: string;
  /** Ms since the epoch. */
  readonly at: number;
}

/** What comes of it: the record to write, nothing (it is so already), or a refusal with what to do instead. */
export type Steered =
  | { readonly do: 'write'; readonly rollout: Rollout; readonly said: string }
  | { readonly do: 'nothing'; readonly said: string }
  | { readonly do: 'refuse'; readonly failure: OwnFailure };

/** Pure, and total: every verb has an answer in every state. Said twice it is done once. */
export function steer(verb: Steering, rollout: Rollout, word: Word): Steered {
  const name = deploymentName(rollout.deployment);
  const write = (next: Partial<Rollout>, said: string): Steered => {
    const steered = [{ verb, ...word }, ...rollout.steered].slice(0, MAX_WORDS);
    return { do: 'write', rollout: { ...rollout, ...next, steered }, said: `${name} ${said}` };
  };
  const nothing = (said: string): Steered => ({ do: 'nothing', said: `${name} ${said}` });
  const { state } = rollout;
  switch (verb) {
    case 'pause':
      // One without waves needed no permits; from now on who has not gone yet waits for one.
      if (state === 'running') {
        const next = { state: 'paused', paused: { ...word }, permits: true } as const;
        return write(next, 'is paused: no more permits; who has one goes on');
      }
      if (state === 'paused') return nothing(`is paused already, by ${visible(rollout.paused?.by ?? '', 100)}`);
      if (state === 'proven') return over(name, verb);
      return nothing(`${stateWords(rollout)}; nothing goes on`);
    case 'abort':
      if (isOpen(state)) {
        const reason = `aborted by ${word.by}${word.reason === '' ? '' : `: ${word.reason}`}`;
        return write(
          { state: 'aborted', reason, members: [], permits: true },
          'is aborted: nobody activates it any more, what runs stays',
        );
      }
      return state === 'proven' ? over(name, verb) : nothing(`${stateWords(rollout)}; nothing goes on`);
    case 'resume':
    case 'promote':
      return goOn(verb, rollout, word, write, nothing);
  }
}

/** As many words as a record keeps. */
const MAX_WORDS = 20;

const isOpen = (state: RolloutState): boolean => state === 'running' || state === 'paused' || state === 'halted';

function goOn(
  verb: 'resume' | 'promote',
  rollout: Rollout,
  word: Word,
  write: (next: Partial<Rollout>, said: string) => Steered,
  nothing: (said: string) => Steered,
): Steered {
  const { state, wave } = rollout;
  const name = waveName(rollout);
  const promoted = verb === 'promote' ? { promoted: { ...word, wave } } : {};
  const passes = verb === 'promote' ? `; ${name} passes without its soak` : '';
  switch (state) {
    case 'running':
      if (verb === 'resume') return nothing('goes on already');
      if (!rollout.permits) return nothing('goes everywhere at once, it has no waves');
      if (rollout.promoted?.wave === wave) return nothing(`${name} is promoted already`);
      return write(promoted, `${name} is promoted: the next one goes as soon as this one is well`);
    case 'paused':
      // Its deadline begins anew, by the leader's clock and not by ours.
      return write(
        { ...promoted, state: 'running', paused: null, waveAt: 0, permits: rollout.policy !== null },
        `goes on${passes}`,
      );
    case 'halted': {
      if (rollout.policy === null)
        return nothing('goes on by itself once the policy is readable: gitfleet policy set FILE');
      const failed = rollout.failures.map((each) => each.agentId);
      const excused = [...new Set([...rollout.excused, ...failed])].toSorted();
      const without = failed.length === 0 ? '' : ` without ${names(failed)}`;
      return write({ ...promoted, state: 'running', reason: '', excused, waveAt: 0 }, `goes on${without}${passes}`);
    }
    case 'proven':
      return nothing('is proven already');
    default:
      return over(deploymentName(rollout.deployment), verb, rollout);
  }
}

/** `has failed: web-1 ...`: how a rollout ended or stopped, for a person. */
export function stateWords({ state, reason }: Rollout): string {
  const words: Record<RolloutState, string> = {
    ...{ running: 'goes on', paused: 'is paused', halted: 'is halted', proven: 'is proven' },
    ...{ failed: 'has failed', aborted: 'is aborted', 'rolled-back': 'was rolled back' },
  };
  if (reason === '') return words[state];
  if (state === 'aborted') return `is aborted${abortWords(reason)}`;
  return `${words[state]} (${visible(reason, 300)})`;
}

function over(name: string, verb: Steering, rollout?: Rollout): Steered {
  const reason = rollout ? `${name} ${stateWords(rollout)}` : `${name} is proven: there is nothing to ${verb}`;
  const hint = rollout
    ? 'gitfleet retry publishes it again; gitfleet rollback goes back to what was proven'
    : 'gitfleet rollback goes back to the deployment before it';
  return { do: 'refuse', failure: { code: 'ROLLOUT_OVER', reason, hint, next: 'stall' } };
}
