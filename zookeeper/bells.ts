/**
 * Which watch reads again, and when: each path has bells, which a watch event rings. A bell carries no data and may
 * ring in vain.
 */
interface Bell {
  ring(): void;
}

export interface Bells {
  /** `bell` rings when a watch on this path fires. The returned function removes it. */
  hang(path: string, bell: Bell): () => void;
  ring(path: string): void;
  /** Rings asynchronously, once per path for all events of a batch. A batch nearly always has a single event. */
  ringSoon(path: string): void;
  ringAll(): void;
  count(): number;
}

const SOON = Promise.resolve();

export function createBells(): Bells {
  const byPath = new Map<string, Set<Bell>>();
  const alsoRung = new Set<string>();
  let rung: string | undefined;
  const ring = (path: string) => ringEach(byPath.get(path));

  function ringBatch(): void {
    const path = rung as string;
    rung = undefined;
    ring(path);
    if (alsoRung.size === 0) return;
    const others = [...alsoRung];
    alsoRung.clear();
    for (const other of others) ring(other);
  }

  return {
    hang(path, bell) {
      const bells = byPath.get(path) ?? new Set();
      byPath.set(path, bells.add(bell));
      return () => {
        bells.delete(bell);
        if (bells.size === 0 && byPath.get(path) === bells) byPath.delete(path);
      };
    },
    ring,
    ringSoon(path) {
      if (rung === undefined) {
        rung = path;
        void SOON.then(ringBatch);
      } else if (path !== rung) alsoRung.add(path);
    },
    ringAll() {
      for (const bells of byPath.values()) ringEach(bells);
    },
    count: () => byPath.size,
  };
}

function ringEach(bells: Set<Bell> | undefined): void {
  for (const bell of bells ?? []) bell.ring();
}
