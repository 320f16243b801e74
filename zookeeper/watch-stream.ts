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
 * The machine below a watch. It is `dirty` from the ring of a bell to the next read, reads only while a caller waits
 * for an item, one read at a time, and gives an item only where it differs from the last one given. So rings that come
 * while no caller waits, or while a read is under way, cost one read together. Ends with its signal, with `return()`, and
 * with the session; a failure that a person must fix is thrown to the caller that waits.
 */
export function streamOf<T, Mark>(
  parts: StreamParts,
  path: string,
  { signal, resyncMs = RESYNC_MS }: WatchOptions,
  /** Called once; what it returns is called for each read, and `caller` then hears the item or the failure. */
  source: (caller: Caller<T>) => (last: Mark | undefined) => void,
  /** What is kept of an item to know the next one by; the item itself may be large, and belongs to who asked. */
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
    // At a deadline the read has waited for a server long enough: it waits again at once.
    const pause = error.code === 'DEADLINE' ? 0 : fullJitter(AGAIN, attempt++, parts.random);
    if (pause > 0) parts.log.warn({ path, code: error.code }, 'a watch could not be read; again soon');
    cancelPause = parts.clock.after(pause, () => {
      reading = false;
      look();
    });
  }

  /** One lost event must not strand us: now and then the bell rings without one. */
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
