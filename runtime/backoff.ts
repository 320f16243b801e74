import type { Random } from './clock.ts';

export interface Backoff {
  firstMs: number;
  maxMs: number;
}

/**
 * Full jitter: a random delay from 0 to min(maxMs, firstMs * 2^attempt), so that a thousand clients that failed at the
 * same instant do not retry at the same instant.
 * @param attempt 0 for the first retry.
 */
export function fullJitter(backoff: Backoff, attempt: number, random: Random): number {
  const ceiling = Math.min(backoff.maxMs, backoff.firstMs * 2 ** Math.min(attempt, 30));
  return random() * ceiling;
}

/** `ms` plus or minus a random part of `share` (0.2 is 20 %), so that a fleet's periodic work spreads out. */
export function spread(ms: number, share: number, random: Random): number {
  return ms * (1 - share + 2 * share * random());
}
