import type { Clock } from '../../runtime/clock.ts';

/**
 * For a session timeout T: we ping every T/4, and call the server silent after 3/5 T, before call deadlines and
 * in-doubt.ts (2/3 T).
 */
export function beatTimes(timeoutMs: number): { pingMs: number; silentMs: number } {
  return { pingMs: Math.floor(timeoutMs / 4), silentMs: Math.floor(timeoutMs * 0.6) };
}

interface Silence {
  /** Something arrived. */
  heard(): void;
  /** Ms since something arrived. */
  forHowLong(): number;
  /** Calls `tooLong` once if nothing arrives for `ms`. The returned function ends the watch. */
  limit(ms: number, tooLong: () => void): () => void;
}

const TICK_MS = 1_000;

/**
 * How long the other side has been silent. The monotonic clock stops while a machine sleeps or its virtual machine is
 * paused, but the wall clock does not. So what the wall clock gains on the monotonic one counts as silence too. Setting
 * the wall clock forward costs one needless reconnect; setting it back has no effect.
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
