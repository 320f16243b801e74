import { describe, expect, it, vi } from 'vitest';
import { SEED, seeded } from '../support/seeded.ts';
import { simulate } from './fleet.ts';

vi.mock('node:fs/promises', () => import('./disk.ts'));
Error.stackTraceLimit = 0;

const draw = seeded(SEED);

describe(`a simulated run (GITFLEET_SEED=${SEED})`, () => {
  it('is one run per seed', { timeout: 120_000 }, async () => {
    const seed = draw.below(2 ** 31);
    expect(await simulate(seed), `seed ${seed}`).toEqual(await simulate(seed));
  });
});

describe(`the checker finds what is planted (GITFLEET_SEED=${SEED})`, () => {
  it.each([
    ['agents go without a permit', /are under way at once/],
    ['agents call themselves active before they are healthy', /are under way at once/],
    ['coordinators forget the guard of their term', /an order without guard/],
  ] as const)('%s', { timeout: 20 * 60_000 }, async (planted, found) => {
    for (let run = 0; run < 100; run++) {
      const { violations } = await simulate(draw.below(2 ** 31), { planted });
      if (found.test(violations.join('\n'))) return;
    }
    expect.fail('not in 100 schedules');
  });
});
