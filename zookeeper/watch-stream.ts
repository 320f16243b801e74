import { type Backoff, fullJitter, spread } from '../runtime/backoff.ts';
import type { Clock, Random } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import { onAbort } from './abortable.ts';
import type { Bells } from './bells.ts';
import type { Caller } from './calls.ts';
import { ZooKeeperError } from './errors.ts';
import type { WatchOptions } from './session.ts';

const RESYNC_MS = 60_000;
const AGAIN: Backoff = { firstMs: 100, maxMs: 15_000 };

export interface StreamParts {
  readonly bells: Bells;
  readonly closedByUs: () => boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/**
 * The state machine behind a watch. It is `dirty` from the ring of a bell to the next read. It reads only while a
 * caller waits for an item, one read at a time, and yields an item only if it differs from the previous one. So rings
 * that arrive while no caller waits, or during a read, cost one read together. It ends with its signal, with
 * `return()`, and with the session. A failure that a retry cannot fix ends it, and rejects for the waiting caller.
 */
export function streamOf<T, Mark>(
  parts: StreamParts,
  path: string,
  { signal, resyncMs = RESYNC_MS }: WatchOptions,
  /**
   * Called once. The function that it returns is called for each read, and `caller` then receives the item or the
   * failure.
   */
  source: (caller: Caller<T>) => (last: Mark | undefined) => void,
  /** What is kept of an item to compare the next one with. The item itself may be large, and belongs to the caller. */
  markOf: (item: T) => Mark,
  differs: (last: Mark, next: Mark) => boolean,
): AsyncIterableIterator<T, undefined> {
  type Item = IteratorResult<T, undefined>;
  const waiting: { resolve: (item: Item) => void; reject: (error: unknown) => void }[] = [];
  let last: { mark: Mark } | undefined;
  let dirty = true;
  let reading = false;
  let over = false;
  let attempt = 0;
  let cancelPause = () => {};
  const read = source({ resolve: give, reject: failed });
  let cancelReread = rereadSlowly();
  const takeDown = parts.bells.hang(path, { ring });
  const stopListening = onAbort(signal, end);
  if (signal.aborted) end();

  function ring(): void {
    dirty = true;
    look();
  }

  function look(): void {
    if (over || reading || waiting.length === 0) return;
    if (parts.closedByUs()) end();
    else if (dirty) {
      dirty = false;
      reading = true;
      read(last?.mark);
    }
  }

  function give(value: T): void {
    reading = false;
    attempt = 0;
    if (over) return;
    const mark = markOf(value);
    const isNew = !last || differs(last.mark, mark);
    last = { mark };
    if (isNew) waiting.shift()?.resolve({ done: false, value });
    look();
  }

  function failed(error: unknown): void {
    if (parts.closedByUs()) end();
    if (over) return;
    if (!(error instanceof ZooKeeperError) || error.next !== 'retry') {
      const asker = waiting.shift();
      end();
      asker?.reject(error);
      return;
    }
    dirty = true;
    // At its deadline the read has already waited for a server, so it starts again at once.
    const pause = error.code === 'DEADLINE' ? 0 : fullJitter(AGAIN, attempt++, parts.random);
    if (pause > 0) parts.log.warn({ path, code: error.code }, 'a watch could not be read; again soon');
    cancelPause = parts.clock.after(pause, () => {
      reading = false;
      look();
    });
  }

  /** Limits the harm of a lost event: the bell also rings periodically. */
  function rereadSlowly(): () => void {
    return parts.clock.after(spread(resyncMs, 0.2, parts.random), () => {
      cancelReread = rereadSlowly();
      ring();
    });
  }

  function end(): void {
    if (over) return;
    over = true;
    stopListening();
    takeDown();
    cancelReread();
    cancelPause();
    for (const { resolve } of waiting.splice(0)) resolve({ done: true, value: undefined });
  }

  return {
    next: () =>
      new Promise<Item>((resolve, reject) => {
        if (over) return resolve({ done: true, value: undefined });
        waiting.push({ resolve, reject });
        look();
      }),
    async return() {
      end();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
