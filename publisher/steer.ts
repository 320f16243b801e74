import type { Rollout, RolloutState } from '../schemas/rollout.ts';
import type { Said } from '../schemas/said.ts';

/** The operators' commands for a rollout in progress. `retry`, which publishes, is in retry.ts. */
export const STEERING = ['pause', 'resume', 'abort', 'promote'] as const;
export type Steering = (typeof STEERING)[number];

/**
 * What a verb does to a rollout: `write` the changed record, `nothing` because it is already so, or `refuse`.
 * screens/steer-words.ts has the messages.
 */
export type Steered =
  | { readonly do: 'write'; readonly verb: Steering; readonly before: Rollout; readonly rollout: Rollout }
  | { readonly do: 'nothing' | 'refuse'; readonly verb: Steering; readonly rollout: Rollout };

/** Pure, and total: every verb has an answer in every state. Idempotent: a repeated command has no further effect. */
export function steer(verb: Steering, rollout: Rollout, word: Said): Steered {
  const next = nextOf(verb, rollout, word);
  if (next === 'nothing' || next === 'refuse') return { do: next, verb, rollout };
  const steered = [{ verb, ...word }, ...rollout.steered].slice(0, MAX_WORDS);
  return { do: 'write', verb, before: rollout, rollout: { ...rollout, ...next, steered } };
}

/** How many commands a record keeps. */
const MAX_WORDS = 20;

const isOpen = (state: RolloutState): boolean => state === 'running' || state === 'paused' || state === 'halted';

function nextOf(verb: Steering, rollout: Rollout, word: Said): Partial<Rollout> | 'nothing' | 'refuse' {
  const { state } = rollout;
  switch (verb) {
    case 'pause':
      // A rollout without waves needed no permits. From now on, agents that have not activated wait for one.
      if (state === 'running') return { state: 'paused', paused: { ...word }, permits: true };
      return state === 'proven' ? 'refuse' : 'nothing';
    case 'abort': {
      const reason = `aborted by ${word.by}${word.reason === '' ? '' : `: ${word.reason}`}`;
      if (isOpen(state)) return { state: 'aborted', reason, members: [], permits: true };
      return state === 'proven' ? 'refuse' : 'nothing';
    }
    case 'resume':
    case 'promote':
      return continued(verb, rollout, word);
  }
}

function continued(verb: 'resume' | 'promote', rollout: Rollout, word: Said): Partial<Rollout> | 'nothing' | 'refuse' {
  const { state, wave } = rollout;
  const promoted = verb === 'promote' ? { promoted: { ...word, wave } } : {};
  switch (state) {
    case 'running':
      if (verb === 'resume' || !rollout.permits || rollout.promoted?.wave === wave) return 'nothing';
      return promoted;
    case 'paused':
      // The wave's deadline starts again, by the leader's clock and not by ours.
      return { ...promoted, state: 'running', paused: null, waveAt: 0, permits: rollout.policy !== null };
    case 'halted':
      if (rollout.policy === null && !rollout.setBack) return 'nothing';
      return { ...promoted, ...unhalted(rollout), state: 'running', reason: '', waveAt: 0 };
    case 'proven':
      return 'nothing';
    default:
      return 'refuse';
  }
}

/** Without a policy, it needed no permits before it halted. */
function unhalted(rollout: Rollout): Partial<Rollout> {
  const setBackPassed = rollout.setBack || rollout.setBackPassed;
  return { setBack: false, setBackPassed, excused: excusedIn(rollout), permits: rollout.policy !== null };
}

/** A rollout that is resumed after a halt continues without the agents that failed. */
const excusedIn = ({ excused, failures }: Rollout): string[] =>
  [...new Set([...excused, ...failures.map((each) => each.agentId)])].toSorted();
