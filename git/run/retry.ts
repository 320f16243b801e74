import { type Backoff, fullJitter } from '../../runtime/backoff.ts';
import type { Random } from '../../runtime/clock.ts';
import type { Code } from '../../runtime/codes.ts';
import type { FleetError } from '../../runtime/errors.ts';

/**
 * Pure: after how many ms to try a failed fetch again, or null to leave it until something changes. An origin that
 * fifty agents ask in the same instant resets half of them, so first retries are quick, and spread by full jitter. A
 * commit that is not there may still be on its way (publish before push): asked for again some minutes long, no longer.
 * @param attempt 0 after the first failure.
 */
export function fetchRetryMs(failure: FleetError, attempt: number, random: Random): number | null {
  if (failure.next !== 'retry') return null;
  const row = ROWS[failure.code] ?? OTHERS;
  return attempt >= row.maxTries ? null : MINIMUM_MS + fullJitter(row.backoff, attempt, random);
}

const MINIMUM_MS = 20;

interface Row {
  readonly backoff: Backoff;
  readonly maxTries: number;
}

const OTHERS: Row = { backoff: { firstMs: 500, maxMs: 60_000 }, maxTries: Number.POSITIVE_INFINITY };

const ROWS: Readonly<Partial<Record<Code, Row>>> = {
  FETCH_FAILED: { backoff: { firstMs: 400, maxMs: 60_000 }, maxTries: Number.POSITIVE_INFINITY },
  COMMIT_NOT_FOUND: { backoff: { firstMs: 1_000, maxMs: 30_000 }, maxTries: 25 },
  NO_SPACE: { backoff: { firstMs: 2_000, maxMs: 60_000 }, maxTries: Number.POSITIVE_INFINITY },
};
