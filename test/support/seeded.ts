/** True for the long runs (npm run soak:...): the same tests with larger counts. */
export const SOAK = process.env['GITFLEET_SOAK'] === '1';

/** Of every ordinary run: what fails there is the fault of the change, not of the draw. */
const FIXED = 20_261_121;

/** The seed of this run: drawn in a soak, to find new faults. GITFLEET_SEED overrides both. */
export const SEED = Number(process.env['GITFLEET_SEED'] ?? (SOAK ? Date.now() % 2 ** 31 : FIXED));
if (SOAK) console.info(`GITFLEET_SEED=${SEED}`);

/** True where an answer within seconds matters more than the counts (npm run test:quick). */
export const QUICK = process.env['GITFLEET_QUICK'] === '1';

/** Chance that a seed repeats. */
export interface Seeded {
  /** In [0, 1). */
  next(): number;
  /** A whole number in [0, below). */
  below(limit: number): number;
  pick<T>(from: readonly T[]): T;
  /** True in this share of the calls. */
  often(share: number): boolean;
  /** Another source, for something that runs at the same time. */
  fork(): Seeded;
}

/** Mulberry32: small, and good enough to choose what a test does. */
export function seeded(seed: number): Seeded {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit: number) => Math.floor(next() * limit);
  return {
    next,
    below,
    pick: (from) => from[below(from.length)] as (typeof from)[number],
    often: (share) => next() < share,
    fork: () => seeded(Math.floor(next() * 2 ** 32)),
  };
}
