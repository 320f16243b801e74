import { fetchRetryMs } from '../git/run/retry.ts';
import { fullJitter, spread } from '../runtime/backoff.ts';
import type { Random } from '../runtime/clock.ts';
import type { FleetError } from '../runtime/errors.ts';
import type { Action } from './plan.ts';

/** When a failed step may be tried again, on the monotonic clock; Infinity: not by itself. */
export interface NextTry {
  readonly at: number;
}

/** Of steps other than the fetch: a full disk, a ZooKeeper that cannot confirm. */
const LOCAL = { firstMs: 500, maxMs: 30_000 };
/** What only a person can mend outside the target (a key, a host key, a token file) is looked at again this seldom. */
const STALLED_MS = 60_000;

/** @param attempts how often this target failed so far, this failure included. */
export function nextTryAfter(
  failure: FleetError,
  step: Action,
  attempts: number,
  now: number,
  random: Random,
): NextTry {
  if (step === 'fetch') {
    const waitMs = fetchRetryMs(failure, attempts - 1, random) ?? spread(STALLED_MS, 0.2, random);
    return { at: now + waitMs };
  }
  if (failure.next === 'stall') return { at: Number.POSITIVE_INFINITY };
  // What we do not understand may pass: it is tried again, seldom, for after all faults have ended every agent must arrive.
  if (failure.next === 'bug') return { at: now + spread(STALLED_MS, 0.2, random) };
  return { at: now + fullJitter(LOCAL, attempts - 1, random) };
}
