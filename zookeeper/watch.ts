import { type Backoff, fullJitter, spread } from '../runtime/backoff.ts';
import type { Chance, Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import { type Bells, createBell } from './bells.ts';
import type { Calls } from './calls.ts';
import { ZooKeeperError } from './errors.ts';
import type { Reads } from './reads.ts';
import type { NodeData, Session, Snapshot, WatchOptions } from './session.ts';
import { orAborted } from './waiting.ts';

const REREAD_MS = 60_000;
const AGAIN: Backoff = { firstMs: 100, mostMs: 15_000 };

export interface WatchParts {
  readonly reads: Reads;
  readonly calls: Calls;
  readonly bells: Bells;
  readonly incarnation: () => number;
  readonly closedByUs: () => boolean;
  readonly barrier: (path: string) => Promise<void>;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Logger;
}

/**
 * Watches as streams of the latest state. A watch event, a reconnect and a slow timer all ring the same bell, and a
 * bell means only: read again and leave a new watch. So a lost event costs at most the slow re-read, a slow reader
 * skips what is outdated, and what is yielded was read from a server at least as new as any that we heard before.
 * A failure that passes is waited out; one that a person must mend (NO_AUTH) ends the stream with its error.
 */
export function createWatches(parts: WatchParts): Pick<Session, 'watch' | 'watchChildren'> {
  const { reads, calls, log } = parts;

  async function readNode(path: string): Promise<Snapshot> {
    for (;;) {
      const deadline = calls.deadline(undefined);
      const found = await reads.getBy(path, deadline, true);
      if (found) return { exists: true, ...found };
      // Reading a missing node leaves no watch; asking whether it exists does, and it may exist by now.
      if ((await reads.existsBy(path, deadline, true)) === null) return { exists: false };
    }
  }

  async function readChildren(path: string): Promise<string[] | null> {
    for (;;) {
      const deadline = calls.deadline(undefined);
      const names = await reads.childrenBy(path, deadline, true);
      if (names) return names;
      if ((await reads.existsBy(path, deadline, true)) === null) return null;
    }
  }

  /** Reads until it succeeds; undefined when the stream is over. */
  async function patiently<T>(
    read: () => Promise<T>,
    path: string,
    signal: AbortSignal,
  ): Promise<{ value: T } | undefined> {
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        return { value: await orAborted(read(), signal) };
      } catch (error) {
        if (parts.closedByUs() || signal.aborted) return undefined;
        if (!(error instanceof ZooKeeperError) || error.next !== 'retry') throw error;
        if (error.code !== 'DEADLINE') log.warn({ path, code: error.code }, 'a watch could not be read; again soon');
        await parts.clock.sleep(fullJitter(AGAIN, attempt, parts.chance), signal).catch(() => {});
      }
    }
    return undefined;
  }

  async function* stream<T>(
    path: string,
    { signal, rereadMs = REREAD_MS }: WatchOptions,
    read: (last: T | undefined) => Promise<T>,
    differs: (last: T, next: T) => boolean,
  ): AsyncGenerator<T, void, undefined> {
    const bell = createBell();
    let cancelReread = () => {};
    const takeDown = parts.bells.hang(path, bell);
    const stop = () => {
      takeDown();
      cancelReread();
      bell.ring();
    };
    signal.addEventListener('abort', stop, { once: true });
    try {
      let last: { value: T } | undefined;
      while (!signal.aborted) {
        const next = await patiently(() => read(last?.value), path, signal);
        if (!next || signal.aborted) return;
        if (!last || differs(last.value, next.value)) yield next.value;
        last = next;
        if (signal.aborted) return;
        cancelReread = parts.clock.after(spread(rereadMs, 0.2, parts.chance), () => bell.ring());
        await bell.heard();
        cancelReread();
        if (parts.closedByUs()) return;
      }
    } finally {
      signal.removeEventListener('abort', stop);
      stop();
    }
  }

  /** Guards against a server that shows an older state than we have already given out. */
  async function neverBackward(path: string, last: Snapshot | undefined): Promise<Snapshot> {
    const incarnation = parts.incarnation();
    const next = await readNode(path);
    if (!isOlder(last, next) || parts.incarnation() !== incarnation) return next;
    await parts.barrier(path).catch((error: unknown) => {
      if (!(error instanceof ZooKeeperError) || error.next === 'retry') throw error;
    });
    const sure = await readNode(path);
    if (isOlder(last, sure))
      log.warn({ path, code: 'NODE_WENT_BACK' }, 'a node is older than it was: data were restored');
    return sure;
  }

  return {
    watch: (path, options) => stream<Snapshot>(path, options, (last) => neverBackward(path, last), snapshotsDiffer),
    watchChildren: (path, options) => stream<string[] | null>(path, options, () => readChildren(path), namesDiffer),
  };
}

const isOlder = (last: Snapshot | undefined, next: Snapshot) =>
  last?.exists === true && next.exists && next.stat.mzxid < last.stat.mzxid;

function snapshotsDiffer(last: Snapshot, next: Snapshot): boolean {
  if (!last.exists || !next.exists) return last.exists !== next.exists;
  const state = ({ stat }: NodeData) => `${stat.czxid} ${stat.mzxid} ${stat.version} ${stat.mtime}`;
  return state(last) !== state(next) || !last.data.equals(next.data);
}

function namesDiffer(last: string[] | null, next: string[] | null): boolean {
  if (!last || !next) return last !== next;
  const names = new Set(last);
  return last.length !== next.length || next.some((name) => !names.has(name));
}
