import type { HealthRule } from '../../schemas/steps.ts';

/** One look with all checks, on the monotonic clock. */
interface Sample {
  readonly at: number;
  /** What is wrong, in words; null: everything is well. */
  readonly wrong: string | null;
}

/** The result of the samples so far, as far as judging needs it. */
export interface HealthTally {
  readonly startedAt: number;
  readonly wellSince: number;
  /** The number of successive good looks, and of bad ones. At least one of the two is 0. */
  readonly well: number;
  readonly bad: number;
  readonly everWell: boolean;
  readonly last: Sample | null;
}

export type Health =
  | { readonly kind: 'healthy' }
  | { readonly kind: 'unhealthy'; readonly why: string }
  | { readonly kind: 'undecided' };

export const noSample = (startedAt: number): HealthTally => ({
  startedAt,
  wellSince: 0,
  well: 0,
  bad: 0,
  everWell: false,
  last: null,
});

export function addSample(tally: HealthTally, sample: Sample): HealthTally {
  const well = sample.wrong === null;
  return {
    startedAt: tally.startedAt,
    wellSince: well && tally.well === 0 ? sample.at : tally.wellSince,
    well: well ? tally.well + 1 : 0,
    bad: well ? 0 : tally.bad + 1,
    everWell: tally.everWell || well,
    last: sample,
  };
}

/**
 * Pure. Healthy: `rise` good looks in a row over at least `healthyFor`. Unhealthy: `fall` bad ones in a row, which
 * count once it was well or `start` is over; or not healthy by the deadline.
 */
export function judgeHealth(rule: HealthRule, tally: HealthTally, now: number): Health {
  const { last } = tally;
  const age = now - tally.startedAt;
  if (last && tally.well >= rule.rise && last.at - tally.wellSince >= rule.healthyFor) return { kind: 'healthy' };
  const why = judgeActive(rule, tally);
  if (why !== null) return { kind: 'unhealthy', why };
  if (age < rule.deadline) return { kind: 'undecided' };
  const state = last?.wrong ?? 'well, but not for long enough';
  return { kind: 'unhealthy', why: `not healthy within ${rule.deadline} ms; at last: ${state}` };
}

/**
 * Pure. What is wrong for good: `fall` bad looks in a row, which count once it was well or `start` is over; else null.
 * This is the whole rule for a release that was healthy before.
 */
export function judgeActive(rule: HealthRule, { last, bad, everWell, startedAt }: HealthTally): string | null {
  const counts = everWell || (last !== null && last.at - startedAt >= rule.start);
  return counts && bad >= rule.fall ? `${last?.wrong}, ${bad} looks in a row` : null;
}
