/**
 * How old what the page shows is. Two things can end the news: ZooKeeper does not answer the server, which the server
 * says; or the server itself is not heard. The server sends something each second, so a longer silence says that it is
 * gone, also where no connection breaks. With the tick of the page a reader sees it within two seconds.
 */

export const SILENCE_MS = 1_750;

export interface Heard {
  /** When the last byte came, by the page's own clock; null: none yet. */
  readonly at: number | null;
  /** The time of the ensemble at the last message, and when that came by the page's own clock. */
  readonly ensemble: { readonly now: number; readonly at: number } | null;
  /** When ZooKeeper last confirmed the state, as the last message says; null: never. */
  readonly asOf: number | null;
  /** What the server says of ZooKeeper; null: it answers. */
  readonly zookeeper: { readonly since: number; readonly reason: string } | null;
  /** Why the stream is gone; null: it is open. */
  readonly lost: string | null;
}

export const NOTHING_HEARD: Heard = { at: null, ensemble: null, asOf: null, zookeeper: null, lost: null };

export interface Age {
  /** What is shown was so at this time, by the clock of the ensemble. */
  readonly asOf: number;
  /** Now, by the same clock. */
  readonly now: number;
  readonly stale: { readonly words: string; readonly since: number } | null;
}

/** Null before the first message. */
export function ageOf({ at, ensemble, asOf, zookeeper, lost }: Heard, clock: number): Age | null {
  if (at === null || ensemble === null) return null;
  const now = ensemble.now + (clock - ensemble.at);
  const confirmed = asOf ?? ensemble.now;
  if (zookeeper) {
    const { since, reason } = zookeeper;
    return { asOf: Math.min(since, confirmed), now, stale: { words: `ZooKeeper does not answer (${reason})`, since } };
  }
  if (lost === null && clock - at < SILENCE_MS) return { asOf: confirmed, now, stale: null };
  const since = ensemble.now + (at - ensemble.at);
  return {
    asOf: confirmed,
    now,
    stale: { words: `gitfleet serve is not heard (${lost ?? 'no sign of life'})`, since },
  };
}
