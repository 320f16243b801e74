import type { Clock } from '../runtime/clock.ts';
import type { Code } from '../runtime/codes.ts';
import { classify } from '../runtime/errors.ts';
import { visible } from '../runtime/safe-text.ts';
import { line } from './screens/columns.ts';
import type { Screen } from './screens/theme.ts';
import { age } from './screens/words.ts';

/** An answer that takes longer makes what is shown stale, on every screen. */
export const ANSWER_MS = 2_000;
/** A screen is drawn anew so often, also while an answer is waited for. */
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

/** Above a picture that is stale. */
export function staleLines(stale: Stale | null, screen: Screen): string[] {
  if (!stale) return [];
  const silence = age(screen.now - stale.since);
  const reason = visible(stale.reason, 200);
  const seen = line(screen, '  what follows is what was seen then; agents go on serving what they serve');
  if (stale.refusal === null)
    return [line(screen, `STALE: ZooKeeper has not answered for ${silence} (${reason})`, 'bad'), seen];
  return [
    line(screen, `STALE: ZooKeeper refuses to be read, for ${silence} now (${reason})`, 'bad'),
    line(screen, `  ${visible(stale.refusal, 200)}`),
    seen,
  ];
}

/** What became different, where lines stay: once that it is stale, once that it is not any more. */
export function staleChange(before: Stale | null, after: Stale | null): string[] {
  if (before && !after) return ['ZooKeeper answers again'];
  if (!after || (before && (before.refusal === null) === (after.refusal === null))) return [];
  const reason = visible(after.reason, 200);
  if (after.refusal === null) return [`STALE: ZooKeeper does not answer (${reason})`];
  return [`STALE: ZooKeeper refuses to be read (${reason}): ${visible(after.refusal, 200)}`];
}

/** The screen that shows what was seen: ages of agents count up to then, and not on over what nobody knows. */
export const asSeen = (stale: Stale | null, screen: Screen): Screen =>
  stale ? { ...screen, now: stale.since } : screen;
