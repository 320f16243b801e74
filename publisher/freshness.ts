import type { Clock } from '../runtime/clock.ts';
import type { Code } from '../runtime/codes.ts';
import { classify } from '../runtime/errors.ts';

/** If an answer takes longer than this, the data on every screen is stale. */
export const ANSWER_MS = 2_000;
/** How often a screen is redrawn, even while an answer is outstanding. */
export const REDRAW_MS = 1_000;

/** Since when, and why, ZooKeeper no longer gives the current state. The data shown is from then. */
export interface Stale {
  /** Ms since the epoch. */
  readonly since: number;
  readonly reason: string;
  /** What to do if it answers but refuses the read. Null: it does not answer. */
  readonly refusal: string | null;
}

/** The one rule by which a picture becomes stale. */
export interface Freshness {
  /** A reading succeeded: the data is current. */
  seen(): void;
  /** A reading failed. */
  failed(error: unknown): void;
  stale(): Stale | null;
}

/** Fresh from now on, until no reading has succeeded for ANSWER_MS. */
export function createFreshness(clock: Pick<Clock, 'now' | 'monotonic'>): Freshness {
  let seenAt = clock.monotonic();
  let trouble = UNANSWERED;
  return {
    seen() {
      seenAt = clock.monotonic();
      trouble = UNANSWERED;
    },
    failed(error) {
      const { code, message, hint } = classify(error);
      trouble = { reason: message, refusal: REFUSALS.has(code) ? hint : null };
    },
    stale() {
      const silentMs = clock.monotonic() - seenAt;
      return silentMs < ANSWER_MS ? null : { since: clock.now() - silentMs, ...trouble };
    },
  };
}

const UNANSWERED: Omit<Stale, 'since'> = { reason: 'no answer', refusal: null };
const REFUSALS: ReadonlySet<Code> = new Set(['NO_AUTH', 'AUTH_FAILED']);

/** The result of `work`, or null if it takes longer than `ms`. The work itself continues. */
export function within<T>(clock: Pick<Clock, 'after'>, ms: number, work: Promise<T>): Promise<T | null> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(ms, () => resolve(null));
    work.then(resolve, reject).finally(cancel);
  });
}
