import type { Clock } from '../../runtime/clock.ts';

/** Of a session timeout T: we ping each T/4 and call the server silent after 3/5 T, before the promised 2/3. */
export function beatTimes(timeoutMs: number): { pingMs: number; silentMs: number } {
  return { pingMs: Math.floor(timeoutMs / 4), silentMs: Math.floor(timeoutMs * 0.6) };
}

interface Silence {
  /** Something arrived. */
  heard(): void;
  /** Ms since something arrived. */
  forHowLong(): number;
  /** Calls `tooLong` once when nothing arrived for `ms`; the returned function ends the watch. */
  limit(ms: number, tooLong: () => void): () => void;
}

const TICK_MS = 1_000;

/**
 * How long the other side has been silent. The monotonic clock stands still while a machine sleeps or its virtual
 * machine is paused, the wall clock does not: what the wall clock gains on it counts as silence too. A wall clock that
 * is set forward costs one needless reconnect; one that is set back does nothing.
 */
export function watchSilence(clock: Clock): Silence {
  let heardAt = clock.monotonic();
  let lead = clock.now() - heardAt;

  function forHowLong(): number {
    const monotonic = clock.monotonic();
    return monotonic - heardAt + Math.max(0, clock.now() - monotonic - lead);
  }

  return {
    heard() {
      heardAt = clock.monotonic();
    },
    forHowLong,
    limit(ms, tooLong) {
      let cancel = clock.after(Math.min(TICK_MS, ms), look);
      function look() {
        const left = ms - forHowLong();
        if (left <= 0) return tooLong();
        lead = clock.now() - clock.monotonic();
        cancel = clock.after(Math.min(TICK_MS, Math.ceil(left)), look);
      }
      return () => cancel();
    },
  };
}
