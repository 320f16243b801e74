import type { Clock } from '../runtime/clock.ts';
import { type FollowParts, followService } from './follow-service.ts';
import type { ServiceList } from './view.ts';

/**
 * The lists of services for programs on this machine that ask repeatedly. A list is followed from the first request
 * until at most ten minutes after the last one. At most 100 are followed at a time, and at most 200 requests wait,
 * because any user of this machine may name and ask any number. It acknowledges nothing to instances that leave.
 */
export interface FollowedLists {
  /** Null: 100 other services are followed already. */
  of(service: string): FollowedList | null;
  /** False: 200 requests wait already. */
  mayWait(): boolean;
  close(): Promise<void>;
}

export interface FollowedList {
  /** Null: ZooKeeper has not answered yet. */
  readonly list: ServiceList | null;
  /** Resolves after the next change, after `ms`, or when `signal` fires. */
  changed(ms: number, signal: AbortSignal): Promise<void>;
}

interface Followed extends FollowedList {
  list: ServiceList | null;
  askedAt: number;
  readonly end: () => Promise<void>;
}

const MOST = 100;
const MOST_WAITING = 200;
const UNASKED_MS = 600_000;

export function followLists(parts: Omit<FollowParts, 'before' | 'service'>): FollowedLists {
  const { clock } = parts;
  const followed = new Map<string, Followed>();
  const waiting: Waiting = { count: 0 };
  const endings = new Set<Promise<void>>();

  function forgetUnasked(): void {
    for (const [service, { askedAt, end }] of followed) {
      if (clock.monotonic() - askedAt <= UNASKED_MS) continue;
      followed.delete(service);
      const ending = end().finally(() => endings.delete(ending));
      endings.add(ending);
    }
  }

  return {
    of(service) {
      forgetUnasked();
      const known = followed.get(service);
      if (!known && followed.size >= MOST) return null;
      const found = known ?? follow(parts, service, waiting);
      found.askedAt = clock.monotonic();
      followed.set(service, found);
      return found;
    },
    mayWait: () => waiting.count < MOST_WAITING,
    async close() {
      await Promise.all([...[...followed.values()].map(({ end }) => end()), ...endings]);
    },
  };
}

/** How many requests wait, for all services together. */
interface Waiting {
  count: number;
}

function follow(parts: Omit<FollowParts, 'before' | 'service'>, service: string, all: Waiting): Followed {
  const stop = new AbortController();
  const waiting = new Set<() => void>();
  const found: Followed = {
    list: null,
    askedAt: 0,
    async changed(ms, signal) {
      all.count += 1;
      await waitIn(waiting, parts.clock, ms, signal);
      all.count -= 1;
    },
    async end() {
      stop.abort();
      await following;
    },
  };
  const following = (async () => {
    for await (const list of followService({ ...parts, service, before: null }, stop.signal)) {
      found.list = list;
      for (const wake of [...waiting]) wake();
    }
  })();
  return found;
}

function waitIn(waiting: Set<() => void>, clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      cancel();
      waiting.delete(done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const cancel = clock.after(ms, done);
    waiting.add(done);
    signal.addEventListener('abort', done, { once: true });
    if (signal.aborted) done();
  });
}
