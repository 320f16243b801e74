/**
 * Who wants to look again, and when. A bell remembers one ring until its owner has heard it, however often it rang:
 * that is all the coalescing a watch needs.
 */
export interface Bell {
  ring(): void;
  /** Resolves at once when it rang since the last time, else at the next ring. One waiter at a time. */
  heard(): Promise<void>;
}

export function createBell(): Bell {
  let rang = false;
  let wake: (() => void) | undefined;
  return {
    ring() {
      rang = true;
      wake?.();
    },
    async heard() {
      if (!rang) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      wake = undefined;
      rang = false;
    },
  };
}

export interface Bells {
  /** `bell` rings when a watch on this path fires; the returned function takes it away. */
  hang(path: string, bell: Bell): () => void;
  ring(path: string): void;
  ringAll(): void;
  readonly count: number;
}

export function createBells(): Bells {
  const byPath = new Map<string, Set<Bell>>();
  return {
    hang(path, bell) {
      const bells = byPath.get(path) ?? new Set();
      byPath.set(path, bells.add(bell));
      return () => {
        bells.delete(bell);
        if (bells.size === 0 && byPath.get(path) === bells) byPath.delete(path);
      };
    },
    ring: (path) => ringEach(byPath.get(path)),
    ringAll() {
      for (const bells of byPath.values()) ringEach(bells);
    },
    get count() {
      return byPath.size;
    },
  };
}

function ringEach(bells: Set<Bell> | undefined): void {
  for (const bell of bells ?? []) bell.ring();
}
