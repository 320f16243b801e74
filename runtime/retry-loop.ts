import { spread } from './backoff.ts';
import type { Clock, Random } from './clock.ts';
import { classify, type FleetError } from './errors.ts';
import type { Logger } from './log.ts';

/**
 * How a loop that never gives up treats failures: how long it waits, and what it logs. Guarantee: a wait is never
 * longer than a minute (if `soon` keeps to that), and a repeated failure, alone or alternating with others, is logged
 * once in ten minutes.
 * @param soon the wait after the nth consecutive failure (from 0) that needs no person.
 */
export function createRetryLoop(
  { clock, random, log }: RetryLoopParts,
  soon: (attempt: number) => number = () => spread(SOON_MS, 0.5, random),
): RetryLoop {
  let attempt = 0;
  /** When each failure was last logged. */
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
   * Logs the failure with its hint, unless it was logged within the last ten minutes. A failure is recognised by its
   * code and by `fields`, which name its subject. Its text does not count: it may contain a new name or number each
   * time.
   * @returns how long to wait before the next attempt, ms.
   */
  failed(error: unknown, fields: Fields, words: string): number;
  /** After a success: the next failure counts as the first. */
  wentWell(): void;
}

type Fields = Readonly<Record<string, string>>;

interface RetryLoopParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** The wait after a failure that needs no person; spread by 50 %. */
const SOON_MS = 1_000;
/**
 * The longest wait after a failure that a person must fix. It doubles up to this; with its spread, a minute at most.
 */
const SELDOM_MS = 40_000;
const SAY_AGAIN_MS = 600_000;
const MAX_KNOWN = 100;
