/**
 * Time as an argument. Everything that waits or measures takes a Clock, so that tests steer it and deadlines are
 * proved without waiting for them.
 */
export interface Clock {
  /** Wall clock in ms since the epoch: for people and records only, it may jump. */
  now(): number;
  /** Ms from an arbitrary start that never goes back: for every duration and deadline. */
  monotonic(): number;
  /** Calls `action` once after `ms`; the returned function cancels it. Keeps the process alive meanwhile. */
  after(ms: number, action: () => void): () => void;
  /** Resolves after `ms`; rejects with the signal's reason as soon as `signal` fires. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  // As performance.now() from another start; for that Node loads eight modules, which takes a command a millisecond.
  monotonic() {
    const [seconds, nanoseconds] = process.hrtime();
    return seconds * 1e3 + nanoseconds / 1e6;
  },
  after(ms, action) {
    const timer = setTimeout(action, ms);
    return () => clearTimeout(timer);
  },
  sleep: (ms, signal) => sleepBy(systemClock.after, ms, signal),
};

/** The `sleep` of a clock that has this `after`. */
export function sleepBy(after: Clock['after'], ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const stop = () => {
      cancel();
      reject(signal?.reason);
    };
    const cancel = after(ms, () => {
      signal?.removeEventListener('abort', stop);
      resolve();
    });
    signal?.addEventListener('abort', stop, { once: true });
  });
}

/** A source of chance in [0, 1), as Math.random gives it; passed in so that a seed can replay a run. */
export type Random = () => number;
export const systemRandom: Random = () => Math.random();
