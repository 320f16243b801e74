import { type Backoff, fullJitter, spread } from '../runtime/backoff.ts';
import type { Random } from '../runtime/clock.ts';
import type { Code } from '../runtime/codes.ts';
import type { FleetError } from '../runtime/errors.ts';
import type { Action } from './plan.ts';

/** When a failed action may be tried again, on the monotonic clock; Infinity: not automatically. */
export interface NextTry {
  readonly at: number;
}

/** For actions other than the fetch: a full disk, a ZooKeeper that cannot confirm. */
const LOCAL = { firstMs: 500, maxMs: 30_000 };
/**
 * The pause before a try that is not expected to help soon: of a fetch that a person must make possible (a key, a host
 * key, a token file) or that has used up its quick tries; of a commit that is on no accepted branch yet; and after a
 * defect.
 */
const STALLED_MS = 60_000;

/** @param attempts the number of failures of this target so far, this one included. */
export function nextTryAfter(
  failure: FleetError,
  step: Action,
  attempts: number,
  now: number,
  random: Random,
): NextTry {
  if (step === 'fetch' || step === 'vouch') {
    const waitMs = fetchRetryMs(failure, attempts - 1, random) ?? spread(STALLED_MS, 0.2, random);
    return { at: now + waitMs };
  }
  if (failure.next === 'stall') return { at: Number.POSITIVE_INFINITY };
  // What we do not understand may pass. It is tried again, seldom: once all faults have ended, every agent must arrive.
  if (failure.next === 'bug') return { at: now + spread(STALLED_MS, 0.2, random) };
  return { at: now + fullJitter(LOCAL, attempts - 1, random) };
}

/**
 * Pure: the pause, in ms, before a failed fetch is tried again. Null: no quick try; nextTryAfter then takes the long
 * pause. An origin that fifty agents ask at the same instant resets half of the connections, so first retries are quick
 * and spread by full jitter. A commit that is missing may still be on its way (publish before push): it gets some
 * minutes of quick tries.
 * @param attempt 0 after the first failure.
 */
export function fetchRetryMs(failure: FleetError, attempt: number, random: Random): number | null {
  if (failure.next !== 'retry') return null;
  const row = FETCH_BACKOFF[failure.code] ?? OTHER_CODES;
  return attempt >= row.maxTries ? null : MIN_MS + fullJitter(row.backoff, attempt, random);
}

const MIN_MS = 20;

interface FetchBackoff {
  readonly backoff: Backoff;
  readonly maxTries: number;
}

const OTHER_CODES: FetchBackoff = { backoff: { firstMs: 500, maxMs: 60_000 }, maxTries: Number.POSITIVE_INFINITY };

const FETCH_BACKOFF: Readonly<Partial<Record<Code, FetchBackoff>>> = {
  FETCH_FAILED: { backoff: { firstMs: 400, maxMs: 60_000 }, maxTries: Number.POSITIVE_INFINITY },
  // Git does not pass on the host's Retry-After.
  ORIGIN_BUSY: { backoff: { firstMs: 20_000, maxMs: 300_000 }, maxTries: Number.POSITIVE_INFINITY },
  FLOODED: { backoff: { firstMs: 120_000, maxMs: 900_000 }, maxTries: Number.POSITIVE_INFINITY },
  COMMIT_NOT_FOUND: { backoff: { firstMs: 1_000, maxMs: 30_000 }, maxTries: 25 },
  NO_SPACE: { backoff: { firstMs: 2_000, maxMs: 60_000 }, maxTries: Number.POSITIVE_INFINITY },
};
