/** Who wants to look again, and when: at which path a watch rings whom. A bell carries no data and may ring in vain. */
interface Bell {
  ring(): void;
}

export interface Bells {
  /** `bell` rings when a watch on this path fires; the returned function takes it away. */
  hang(path: string, bell: Bell): () => void;
  ring(path: string): void;
  ringAll(): void;
  count(): number;
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
    count: () => byPath.size,
  };
}

function ringEach(bells: Set<Bell> | undefined): void {
  for (const bell of bells ?? []) bell.ring();
}
