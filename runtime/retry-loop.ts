import { spread } from './backoff.ts';
import type { Clock, Random } from './clock.ts';
import { classify, type FleetError } from './errors.ts';
import type { Logger } from './log.ts';

/** What passes without a person is tried again after so long; spread by 50 %. */
const SOON_MS = 1_000;
/** What a person must fix: the wait doubles up to this, so with its spread it stays below a minute. */
const SELDOM_MS = 40_000;
const SAY_AGAIN_MS = 600_000;

interface RetryLoopParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** How a loop that never gives up bears its failures. */
export interface RetryLoop {
  /**
   * Logs the failure with its hint, unless it is the last one again within ten minutes.
   * @returns how long to wait before the next try, ms: never more than a minute.
   */
  failed(error: unknown, fields: Record<string, unknown>, words: string): number;
  /** It went well: the next failure counts as the first. */
  wentWell(): void;
}

/** @param soon the wait after the nth failure in a row (from 0) of a kind that passes without a person. */
export function createRetryLoop(
  { clock, random, log }: RetryLoopParts,
  soon: (attempt: number) => number = () => spread(SOON_MS, 0.5, random),
): RetryLoop {
  let attempt = 0;
  let said: { what: string; at: number } | null = null;

  function say(failure: FleetError, fields: Record<string, unknown>, words: string): void {
    const what = `${failure.code} ${failure.message}`;
    if (said?.what === what && clock.monotonic() - said.at < SAY_AGAIN_MS) return;
    said = { what, at: clock.monotonic() };
    log.warn({ err: failure, hint: failure.hint, ...fields }, words);
  }

  return {
    failed(error, fields, words) {
      const failure = classify(error);
      say(failure, fields, words);
      const nth = attempt++;
      if (failure.next !== 'stall') return soon(nth);
      return spread(Math.min(SELDOM_MS, SOON_MS * 2 ** Math.min(nth, 30)), 0.5, random);
    },
    wentWell() {
      attempt = 0;
      said = null;
    },
  };
}
