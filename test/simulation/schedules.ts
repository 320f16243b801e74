import { describe, expect, it } from 'vitest';
import { QUICK, SEED, SOAK, seeded } from '../support/seeded.ts';
import { simulate } from './simulate.ts';

/**
 * The schedules are dealt out to files (schedules-1.test.ts and so on), so that all workers take part. Of each share
 * one half is the same at every run: it says whether something broke. The other is new each time: it looks for what
 * nobody has seen yet. The soak has thousands, all of them new.
 */
export const SHARES = 4;
const KNOWN = SOAK || process.env['GITFLEET_SEED'] ? 0 : QUICK ? 3 : 30;
const NEW = SOAK ? 1_250 : QUICK ? 1 : 30;
const FIRST_KNOWN = 20_261_121;
const ENDINGS = ['proven', 'paused', 'halted'];
const MOST_FURTHER = 600;

/** One schedule alone, by the seed that a failure names: its story is printed. */
const ONLY = process.env['GITFLEET_SCHEDULE'];

export function describeSchedules(share: number): void {
  // Nobody reads the stacks of the thousands of failures that a simulated fleet gets over; they cost a fifth of the time.
  Error.stackTraceLimit = 0;
  const endings = new Map<string, number>();

  async function runs(seed: number): Promise<void> {
    const { violations, story, ending } = await simulate(seed);
    endings.set(ending, (endings.get(ending) ?? 0) + 1);
    if (ONLY) console.info(story.join('\n'));
    if (violations.length === 0) return;
    throw new Error(`GITFLEET_SCHEDULE=${seed}:\n${violations.join('\n')}\n\n${story.join('\n')}`);
  }

  describe(`a simulated fleet of shipped agents and coordinators, share ${share} of ${SHARES}`, () => {
    if (ONLY) {
      it.runIf(share === 1)(`keeps every promise in schedule ${ONLY}`, { timeout: 120_000 }, () => runs(Number(ONLY)));
      return;
    }
    const words = `keeps every promise in ${KNOWN} known schedules and ${NEW} new ones (GITFLEET_SEED=${SEED})`;
    it(words, { timeout: 90 * 60_000 }, async () => {
      const [known, fresh] = [seeded(FIRST_KNOWN + share), seeded(SEED + share)];
      for (let run = 0; run < KNOWN; run++) await runs(known.below(2 ** 31));
      for (let run = 0; run < NEW; run++) await runs(fresh.below(2 ** 31));
      // Few of them end paused: further ones, until each ending was seen.
      const unseen = () => !QUICK && ENDINGS.some((ending) => !endings.has(ending));
      for (let run = 0; run < MOST_FURTHER && unseen(); run++) await runs(fresh.below(2 ** 31));
      console.info(`GITFLEET_SEED=${SEED}: schedules ended ${JSON.stringify(Object.fromEntries(endings))}`);
      if (!QUICK) expect([...endings.keys()]).toEqual(expect.arrayContaining(ENDINGS));
    });
  });
}
