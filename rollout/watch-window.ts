/** How long one leader has watched the fleet without a gap, by times that did not jump. */
interface WatchWindow {
  /**
   * Notes one look.
   * @param now by the clock of the ensemble, ms since the epoch.
   * @param monotonic ms, by the leader's own clock.
   * @returns ms since the window began.
   */
  look(now: number, monotonic: number): number;
}

/** Longer than two slow looks (coordinator.ts): the process stood still, or its machine slept. */
const GAP_MS = 75_000;
/** More than rounding and slewing can cause between two looks. */
const JUMP_MS = 2_000;

export function createWatchWindow(): WatchWindow {
  let last: { readonly now: number; readonly monotonic: number } | null = null;
  let since = 0;
  return {
    look(now, monotonic) {
      const passed = last ? monotonic - last.monotonic : 0;
      const jumped = last ? Math.abs(now - last.now - passed) > JUMP_MS : false;
      if (!last || jumped || passed > GAP_MS) since = monotonic;
      last = { now, monotonic };
      return monotonic - since;
    },
  };
}
