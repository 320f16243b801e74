import type { Clock } from '../runtime/clock.ts';
import type { Code } from '../runtime/codes.ts';
import { classify } from '../runtime/errors.ts';

/** An answer that takes longer makes what is shown stale, on every screen. */
export const ANSWER_MS = 2_000;
/** A screen is redrawn this often, also while an answer is outstanding. */
export const REDRAW_MS = 1_000;

/** ZooKeeper does not tell any more how things are: since when, and why. What is shown is what was seen then. */
export interface Stale {
  /** Ms since the epoch. */
  readonly since: number;
  readonly reason: string;
  /** It answers, but refuses to be read: what to do about it. Null: it does not answer. */
  readonly refusal: string | null;
}

/** The one rule by which a picture becomes stale. */
export interface Freshness {
  /** A look was answered: what is shown is true now. */
  seen(): void;
  /** A look came to nothing. */
  failed(error: unknown): void;
  stale(): Stale | null;
}

/** Fresh from now on, until a look is not answered for ANSWER_MS. */
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

/** What `work` gives, or null where it takes longer than `ms`; the work goes on. */
export function within<T>(clock: Pick<Clock, 'after'>, ms: number, work: Promise<T>): Promise<T | null> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(ms, () => resolve(null));
    work.then(resolve, reject).finally(cancel);
  });
}
