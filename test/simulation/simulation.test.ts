import { describe, expect, it, vi } from 'vitest';
import { SEED, SOAK, seeded } from '../support/seeded.ts';
import { simulate } from './fleet.ts';

vi.mock('node:fs/promises', () => import('./disk.ts'));

const RUNS = SOAK ? 5_000 : 2_000;
/** The same schedules at each `npm test`: it says whether something broke. The soak looks for what nobody has seen yet. */
const FIRST = SOAK || process.env['GITFLEET_SEED'] ? SEED : 20_261_121;
const draw = seeded(FIRST);
// Nobody reads the stacks of the thousands of failures that a simulated fleet gets over, and they cost a fifth of the time.
Error.stackTraceLimit = 0;

describe('a simulated fleet of shipped agents and coordinators', () => {
  it(`keeps every promise in ${RUNS} schedules (GITFLEET_SEED=${FIRST})`, { timeout: 90 * 60_000 }, async () => {
    const endings = new Map<string, number>();
    for (let run = 0; run < RUNS; run++) {
      const seed = draw.below(2 ** 31);
      const { violations, story, ending } = await simulate(seed);
      endings.set(ending, (endings.get(ending) ?? 0) + 1);
      if (violations.length > 0) throw new Error(`seed ${seed}:\n${violations.join('\n')}\n\n${story.join('\n')}`);
    }
    console.info(`seed ${FIRST}: ${RUNS} schedules ended ${JSON.stringify(Object.fromEntries(endings))}`);
    expect([...endings.keys()]).toEqual(expect.arrayContaining(['proven', 'paused', 'halted']));
  });

  it('is one run per seed', { timeout: 120_000 }, async () => {
    const seed = draw.below(2 ** 31);
    expect(await simulate(seed)).toEqual(await simulate(seed));
  });
});

describe('the checker finds what is planted', () => {
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
