import type { Clock } from '../../runtime/clock.ts';

export type Resolve = (host: string) => Promise<string[]>;

/**
 * Look-ups of host names, several in parallel. Guarantee: each counts as failed after 5 s, whatever its resolver does,
 * and none delays `signal`. What it cannot do: end a look-up. The system's resolver cannot cancel one, and each
 * occupies one of the few threads that also serve the disk. So at most three look-ups run at a time, never two of the
 * same name, and a name that hung comes last.
 */
export interface LookUps {
  /** Looks up each name. Results are reported as they arrive, even after the deadline. */
  start(names: readonly string[], found: (name: string, ips: string[]) => void): void;
  /** Resolves when all have ended or are overdue, after `ms`, or when the signal fires. */
  settled(ms: number): Promise<void>;
  /** Resolves when an address was found, when all have failed, or when the signal fires. */
  firstOrAll(): Promise<void>;
  /** Why the last failed look-up of this start failed. */
  failure(): Error | undefined;
}

export function createLookUps(resolve: Resolve, clock: Clock, signal: AbortSignal): LookUps {
  const running = new Set<string>();
  const hung = new Set<string>();
  let awaited = new Map<string, () => void>();
  let queue: string[] = [];
  let tell: (name: string, ips: string[]) => void = () => {};
  let failure: Error | undefined;
  let anyFound = false;
  let wake = new Set<() => void>();
  signal.addEventListener('abort', endAll, { once: true });

  function endAll(): void {
    for (const cancel of awaited.values()) cancel();
    awaited.clear();
    changed();
  }

  function changed(): void {
    const woken = wake;
    wake = new Set();
    for (const go of woken) go();
  }

  function give(name: string, why?: Error): void {
    awaited.get(name)?.();
    awaited.delete(name);
    failure = why ?? failure;
    changed();
  }

  function overdue(name: string): void {
    hung.add(name);
    give(name, new Error(`the look-up of ${name} was not answered in ${LOOK_UP_MS / 1_000} s`));
  }

  function runNext(): void {
    while (running.size < MAX_RUNNING && queue.length > 0) {
      const name = queue.shift() as string;
      if (!running.has(name)) void run(name);
    }
  }

  async function run(name: string): Promise<void> {
    running.add(name);
    try {
      const ips = await resolve(name);
      hung.delete(name);
      anyFound ||= ips.length > 0;
      tell(name, ips);
      give(name);
    } catch (error) {
      give(name, error as Error);
    } finally {
      running.delete(name);
      runNext();
    }
  }

  async function until(done: () => boolean): Promise<void> {
    while (!done() && !signal.aborted) await new Promise<void>((resolved) => wake.add(resolved));
  }

  return {
    start(names, found) {
      tell = found;
      failure = undefined;
      anyFound = false;
      for (const cancel of awaited.values()) cancel();
      awaited = new Map(names.map((name) => [name, clock.after(LOOK_UP_MS, () => overdue(name))]));
      queue = [...names].sort((a, b) => Number(hung.has(a)) - Number(hung.has(b)));
      runNext();
    },
    async settled(ms) {
      let late = false;
      const cancel = clock.after(ms, () => {
        late = true;
        changed();
      });
      await until(() => late || awaited.size === 0);
      cancel();
    },
    firstOrAll: () => until(() => anyFound || awaited.size === 0),
    failure: () => failure,
  };
}

const LOOK_UP_MS = 5_000;
const MAX_RUNNING = 3;
