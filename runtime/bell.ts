import type { Clock } from './clock.ts';

/** An event without content, which means "look again". Rings while no caller waits count as one. */
export interface Bell {
  ring(): void;
  /** Resolves at the next ring, after `ms`, or when `signal` fires; never rejects. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
}

export function createBell(clock: Clock): Bell {
  let rung = false;
  let wake: (() => void) | null = null;
  return {
    ring() {
      rung = true;
      wake?.();
    },
    async wait(ms, signal) {
      if (!rung && !signal.aborted) {
        await new Promise<void>((resolve) => {
          const done = () => {
            cancel();
            signal.removeEventListener('abort', done);
            resolve();
          };
          const cancel = clock.after(ms, done);
          signal.addEventListener('abort', done, { once: true });
          wake = done;
        });
        wake = null;
      }
      rung = false;
    },
  };
}
