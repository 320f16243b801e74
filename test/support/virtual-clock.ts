import { type Clock, sleepBy } from '../../runtime/clock.ts';

/**
 * Time that stands still until it is told to run: each step goes to the earliest timer, so hours pass in milliseconds
 * and a run repeats with its seed. A simulation must not contain anything that waits for something other than these
 * timers and settled promises (a disk, a child process).
 */
export interface VirtualClock extends Clock {
  /** Runs timers in order until `done()` is true or virtual time reaches `untilMs`; true if `done()` was. */
  run(untilMs: number, done?: () => boolean): Promise<boolean>;
}

interface Timer {
  readonly at: number;
  readonly order: number;
  action: (() => void) | null;
}

/** Where the wall clock starts: an arbitrary time, the same in each run. */
const EPOCH = Date.UTC(2026, 0, 1);

export function createVirtualClock(): VirtualClock {
  const timers: Timer[] = [];
  let now = 0;
  let order = 0;

  function after(ms: number, action: () => void): () => void {
    const timer: Timer = { at: now + Math.max(0, ms), order: order++, action };
    push(timers, timer);
    return () => {
      timer.action = null;
    };
  }

  function next(): Timer | undefined {
    for (;;) {
      const timer = pop(timers);
      if (!timer || timer.action) return timer;
    }
  }

  return {
    now: () => EPOCH + now,
    monotonic: () => now,
    after,
    sleep: (ms, signal) => sleepBy(after, ms, signal),
    async run(untilMs, done = () => false) {
      for (;;) {
        await settled();
        if (done()) return true;
        const timer = next();
        if (!timer) return false;
        if (timer.at > untilMs) {
          push(timers, timer);
          now = untilMs;
          return done();
        }
        now = timer.at;
        timer.action?.();
      }
    },
  };
}

/**
 * The time of one process: its timers wait while it is frozen, and fire late at the thaw, as after SIGSTOP and SIGCONT.
 */
export interface ProcessClock extends Clock {
  freeze(): void;
  thaw(): void;
  /** Ends the process: none of its timers fires any more. */
  kill(): void;
}

export function createProcessClock(clock: Clock): ProcessClock {
  let state: 'running' | 'frozen' | 'dead' = 'running';
  let late: (() => void)[] = [];

  function after(ms: number, action: () => void): () => void {
    let over = false;
    const fire = () => {
      if (over || state === 'dead') return;
      if (state === 'running') action();
      else late.push(fire);
    };
    const cancel = clock.after(ms, fire);
    return () => {
      over = true;
      cancel();
    };
  }

  return {
    now: clock.now,
    monotonic: clock.monotonic,
    after,
    sleep: (ms, signal) => sleepBy(after, ms, signal),
    freeze() {
      if (state === 'running') state = 'frozen';
    },
    thaw() {
      if (state !== 'frozen') return;
      state = 'running';
      const waiting = late;
      late = [];
      for (const fire of waiting) clock.after(0, fire);
    },
    kill() {
      state = 'dead';
      late = [];
    },
  };
}

/**
 * Resolves when every promise that needs no timer has settled: Node empties its microtasks before the next immediate.
 */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

const earlier = (a: Timer, b: Timer) => a.at < b.at || (a.at === b.at && a.order < b.order);

/** A binary heap: the earliest first. */
function push(heap: Timer[], timer: Timer): void {
  let at = heap.push(timer) - 1;
  while (at > 0) {
    const up = (at - 1) >> 1;
    if (!earlier(timer, heap[up] as Timer)) break;
    heap[at] = heap[up] as Timer;
    at = up;
  }
  heap[at] = timer;
}

function pop(heap: Timer[]): Timer | undefined {
  const first = heap[0];
  const last = heap.pop();
  if (!first || !last || heap.length === 0) return first;
  let at = 0;
  for (;;) {
    let down = 2 * at + 1;
    if (down >= heap.length) break;
    if (down + 1 < heap.length && earlier(heap[down + 1] as Timer, heap[down] as Timer)) down++;
    if (!earlier(heap[down] as Timer, last)) break;
    heap[at] = heap[down] as Timer;
    at = down;
  }
  heap[at] = last;
  return first;
}
