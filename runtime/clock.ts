/**
 * Time as an argument. Everything that waits or measures takes a Clock, so that tests control it and check deadlines
 * without waiting for them.
 */
export interface Clock {
  /** Wall clock, ms since the epoch. Only for people and records, because it may jump. */
  now(): number;
  /** Ms since an arbitrary start. Never goes back: for every duration and deadline. */
  monotonic(): number;
  /** Calls `action` once after `ms`. The returned function cancels it. Keeps the process alive in the meantime. */
  after(ms: number, action: () => void): () => void;
  /** Resolves after `ms`; rejects with the signal's reason as soon as `signal` fires. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  // Like performance.now(), for which Node would load eight modules: a millisecond of each command.
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

/** The `sleep` of a clock with this `after`. */
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

/** A source of random numbers in [0, 1), like Math.random. Passed in, so that a seed can replay a run. */
export type Random = () => number;
export const systemRandom: Random = () => Math.random();
