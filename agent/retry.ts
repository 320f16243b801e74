import { nextTry } from '../git/run/retry.ts';
import { fullJitter, spread } from '../runtime/backoff.ts';
import type { Chance } from '../runtime/clock.ts';
import type { FleetError } from '../runtime/errors.ts';
import type { Doing } from './plan.ts';

/** When a failed step may be tried again, on the monotonic clock; Infinity: not by itself. */
export interface Patience {
  readonly at: number;
}

/** Of steps other than the fetch: a full disk, a ZooKeeper that cannot confirm. */
const LOCAL = { firstMs: 500, mostMs: 30_000 };
/** What only a person can mend outside the target (a key, a host key, a token file) is looked at again this seldom. */
const STALLED_MS = 60_000;

/** @param attempts how often this target failed so far, this failure included. */
export function patienceAfter(
  failure: FleetError,
  step: Doing,
  attempts: number,
  now: number,
  chance: Chance,
): Patience {
  if (step === 'fetch') {
    const waitMs = nextTry(failure, attempts - 1, chance) ?? spread(STALLED_MS, 0.2, chance);
    return { at: now + waitMs };
  }
  if (failure.next === 'stall') return { at: Number.POSITIVE_INFINITY };
  // What we do not understand may pass: it is tried again, seldom, for after all faults have ended every agent must arrive.
  if (failure.next === 'bug') return { at: now + spread(STALLED_MS, 0.2, chance) };
  return { at: now + fullJitter(LOCAL, attempts - 1, chance) };
}
