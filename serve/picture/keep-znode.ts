import type { Clock, Random } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import { createRetryLoop } from '../../runtime/retry-loop.ts';
import type { ChildrenSnapshot, Session, Snapshot, WatchOptions } from '../../zookeeper/session.ts';

export interface ReadParts {
  readonly session: Session;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Told each failure of a read, before it is tried again. */
  readonly onFailure?: (error: unknown) => void;
}

/**
 * Gives every state of a znode to `take`, until `signal` fires: one watch, whatever the number of viewers. A failure of
 * the watch or of `take` is logged and tried again; meanwhile the last state stays.
 */
export async function keepZnode(
  parts: ReadParts,
  path: string,
  take: (found: Snapshot) => void | Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  await follow(parts, path, (options) => parts.session.watch(path, options), take, signal);
}

/** The same for the names of its children. */
export async function keepNames(
  parts: ReadParts,
  path: string,
  take: (found: ChildrenSnapshot) => void | Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  await follow(parts, path, (options) => parts.session.watchChildren(path, options), take, signal);
}

async function follow<T>(
  parts: ReadParts,
  path: string,
  watch: (options: WatchOptions) => AsyncIterable<T>,
  take: (found: T) => void | Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const retries = createRetryLoop(parts);
  while (!signal.aborted && parts.session.state !== 'closed') {
    try {
      for await (const found of watch({ signal })) {
        await take(found);
        retries.wentWell();
      }
    } catch (error) {
      if (signal.aborted) return;
      parts.onFailure?.(error);
      const pause = retries.failed(error, { path }, 'cannot read a znode, retrying');
      await parts.clock.sleep(pause, signal).catch(() => {});
    }
  }
}

/** Calls `work` every `ms`, after the first time at once, and no call before the previous one has ended. */
export async function repeat(
  { clock, random, log, session, onFailure }: ReadParts,
  ms: number,
  work: () => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const retries = createRetryLoop({ clock, random, log });
  while (!signal.aborted && session.state !== 'closed') {
    let pause = ms;
    try {
      await session.connected(signal);
      await work();
      retries.wentWell();
    } catch (error) {
      if (signal.aborted) return;
      onFailure?.(error);
      pause = Math.max(ms, retries.failed(error, {}, 'cannot read the shared state, retrying'));
    }
    await clock.sleep(pause, signal).catch(() => {});
  }
}
