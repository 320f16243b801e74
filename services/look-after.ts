import { spread } from '../runtime/backoff.ts';
import type { Clock, Random } from '../runtime/clock.ts';
import { addLook, NO_LOOKS, type Wellness } from './registration-rules.ts';

export interface LookRule {
  /** The pause between two looks. */
  readonly interval: number;
  readonly rise: number;
  readonly fall: number;
}

/** With these values, two looks notice a closed port in under 3 s. */
export const LOOK_RULE: LookRule = { interval: 1_000, rise: 1, fall: 2 };

/** While it is not well yet, callers may be waiting for it. */
const SOON_MS = 200;

interface LookerParts {
  /** One look: null if all is well. Never throws. */
  readonly look: (signal: AbortSignal) => Promise<string | null>;
  readonly rule: LookRule;
  readonly say: (health: Wellness) => void;
  readonly clock: Clock;
  readonly random: Random;
}

/** Checks an instance repeatedly, and reports the result. */
export interface Looker {
  run(signal: AbortSignal): Promise<void>;
  /** Discards the results so far: another process may serve from now on. A current look is aborted. */
  startOver(): void;
}

export function createLooker({ look, rule, say, clock, random }: LookerParts): Looker {
  let looks = NO_LOOKS;
  let round = new AbortController();
  return {
    async run(stop) {
      while (!stop.aborted) {
        const signal = AbortSignal.any([stop, round.signal]);
        const wrong = await look(signal);
        if (!signal.aborted) {
          looks = addLook(looks, wrong, rule);
          say(looks.health);
          const ms = looks.health === 'well' ? rule.interval : Math.min(SOON_MS, rule.interval);
          await clock.sleep(spread(ms, 0.1, random), signal).catch(() => {});
        }
        if (round.signal.aborted) round = new AbortController();
      }
    },
    startOver() {
      looks = NO_LOOKS;
      say('unknown');
      round.abort();
    },
  };
}
