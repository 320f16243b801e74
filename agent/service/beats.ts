/**
 * Whether the agent's loops live. Each loop leaves a beat whenever it gets on, and says with it what it waits for next
 * and how long that may take at the very most. So a wait for something outside (ZooKeeper, an origin, a person) is life,
 * however long; a wait that went past its own bound is a loop that lost its way, and only a new process helps.
 */
export interface Beat {
  /** Monotonic ms. */
  readonly at: number;
  readonly waitsFor: string;
  /** Null: as long as it takes. */
  readonly maxMs: number | null;
}

/** A loop that is past its bound. */
interface Stuck {
  readonly loop: string;
  readonly waitsFor: string;
  readonly sinceMs: number;
  readonly maxMs: number;
}

/** The loop that is longest past its bound; null: all of them live. Pure. @param now monotonic ms. */
export function findStuck(beats: ReadonlyMap<string, Beat>, now: number): Stuck | null {
  const stuck = [...beats].flatMap(([loop, { at, waitsFor, maxMs }]) => {
    const sinceMs = now - at;
    return maxMs !== null && sinceMs > maxMs ? [{ loop, waitsFor, sinceMs, maxMs }] : [];
  });
  return stuck.toSorted((a, b) => b.sinceMs - b.maxMs - (a.sinceMs - a.maxMs))[0] ?? null;
}
