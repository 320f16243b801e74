import type { Clock, Random } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import { createRetryLoop } from '../../runtime/retry-loop.ts';
import type { ChildrenSnapshot, Session, Snapshot, WatchOptions } from '../session.ts';

/**
 * Follows a node for as long as a program lives, and yields what `read` makes of each state, including the first. A
 * watch ends at a failure that a retry cannot fix (NO_AUTH); this does not. It logs failures of the watch and of
 * `read`, damped by the retry loop, and starts the watch again after the loop's wait. Guarantee: it ends only when
 * `signal` fires or the session is closed, and never throws. It does not yield every change: like a watch, it skips
 * outdated states.
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
  /** As for a watch. */
  readonly resyncMs?: number;
  /** The log message for a failure, such as `cannot read the target, retrying`. */
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
