import { spread } from './backoff.ts';
import type { Clock, Random } from './clock.ts';
import { classify, type FleetError } from './errors.ts';
import type { Logger } from './log.ts';

/**
 * How a loop that never gives up treats its failures: how long it waits, and what it logs. Guarantee: a wait is never
 * longer than a minute, and a failure that repeats, alone or by turns with others, is logged once in ten minutes.
 * @param soon the wait after the nth failure in a row (from 0) of a kind that passes without a person.
 */
export function createRetryLoop(
  { clock, random, log }: RetryLoopParts,
  soon: (attempt: number) => number = () => spread(SOON_MS, 0.5, random),
): RetryLoop {
  let attempt = 0;
  /** When each failure was logged last. */
  const said = new Map<string, number>();

  function say(failure: FleetError, fields: Fields, words: string): void {
    const what = JSON.stringify([failure.code, words, fields]);
    const now = clock.monotonic();
    if (now - (said.get(what) ?? Number.NEGATIVE_INFINITY) < SAY_AGAIN_MS) return;
    if (said.size >= MAX_KNOWN) said.clear();
    said.set(what, now);
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
      said.clear();
    },
  };
}

export interface RetryLoop {
  /**
   * Logs the failure with its hint, unless it was logged within ten minutes. A failure is known by its code and by
   * `fields`, which name its subject, and not by its text: that may hold a name or a number that is new each time.
   * @returns how long to wait before the next try, ms: never more than a minute.
   */
  failed(error: unknown, fields: Fields, words: string): number;
  /** It went well: the next failure counts as the first. */
  wentWell(): void;
}

type Fields = Readonly<Record<string, string>>;

interface RetryLoopParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** What passes without a person is tried again after so long; spread by 50 %. */
const SOON_MS = 1_000;
/** What a person must fix: the wait doubles up to this, so with its spread it stays below a minute. */
const SELDOM_MS = 40_000;
const SAY_AGAIN_MS = 600_000;
const MAX_KNOWN = 100;
