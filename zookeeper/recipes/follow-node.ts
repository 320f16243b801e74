import type { Clock, Random } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import { createRetryLoop } from '../../runtime/retry-loop.ts';
import type { ChildrenSnapshot, Session, Snapshot, WatchOptions } from '../session.ts';

/**
 * Follows a node for as long as a program lives: what `read` makes of each state, the first one included. A watch ends at
 * a failure that a person must fix (NO_AUTH); this one does not. It logs each failure, of the watch and of `read`, with
 * the damping of the retry loop, and starts the watch again after the loop's wait. Guarantee: it ends only when `signal`
 * fires or we close the session, and never throws. What it does not do: yield every change; like a watch it skips what
 * is outdated.
 */
export function followNode<T>(
  options: FollowOptions,
  read: (snapshot: Snapshot) => T | Promise<T>,
  signal: AbortSignal,
): AsyncGenerator<T, void, undefined> {
  return follow(options, (watch) => options.session.watch(options.path, watch), read, signal);
}

/** The same for the names of a node's children. */
export function followChildren<T>(
  options: FollowOptions,
  read: (list: ChildrenSnapshot) => T | Promise<T>,
  signal: AbortSignal,
): AsyncGenerator<T, void, undefined> {
  return follow(options, (watch) => options.session.watchChildren(options.path, watch), read, signal);
}

export interface FollowOptions {
  readonly session: Session;
  readonly path: string;
  /** As of a watch. */
  readonly resyncMs?: number;
  /** What the log says when following fails, such as `cannot read the target, retrying`. */
  readonly failing: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

async function* follow<Seen, T>(
  { session, path, resyncMs, failing, clock, random, log }: FollowOptions,
  watch: (options: WatchOptions) => AsyncIterable<Seen>,
  read: (seen: Seen) => T | Promise<T>,
  signal: AbortSignal,
): AsyncGenerator<T, void, undefined> {
  const retryLoop = createRetryLoop({ clock, random, log });
  while (!signal.aborted) {
    try {
      for await (const seen of watch(resyncMs === undefined ? { signal } : { signal, resyncMs })) {
        const item = await read(seen);
        retryLoop.wentWell();
        yield item;
      }
      if (session.state === 'closed') return;
    } catch (error) {
      if (signal.aborted) return;
      const pause = retryLoop.failed(error, { path }, failing);
      await clock.sleep(pause, signal).catch(() => {});
    }
  }
}
