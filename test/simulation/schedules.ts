import { describe, expect, it } from 'vitest';
import { QUICK, SEED, SOAK, seeded } from '../support/seeded.ts';
import { kill, leaderOf, publish, say } from './fleet.ts';
import { type Script, simulate } from './simulate.ts';

/**
 * The schedules are dealt out to files (schedules-1.test.ts and so on), so that all workers take part. An ordinary run
 * has the same ones each time, and says whether something broke. The soak has thousands, all of them new, to find new
 * faults.
 */
export const SHARES = 4;
const COUNT = SOAK ? 1_250 : QUICK ? 4 : 60;
const ENDINGS = ['proven', 'paused', 'halted'];

/** Of those that chance makes up few end paused: one in each share, whatever chance does. */
const LEFT_PAUSED: Script = {
  servers: 4,
  policy: { canary: 1, maxParallel: 2, soak: '15s', deadline: '60s', onFailure: 'rollback' },
  async play(fleet, seconds) {
    const { draw, servers } = fleet;
    publish(fleet, 'good');
    // Before the soak of its canary is over.
    await seconds(2 + draw.below(13));
    say(fleet, 'pause');
    await seconds(draw.below(20));
    kill(fleet, [leaderOf(fleet, draw.pick(servers))], () => draw.below(60_000));
    await seconds(draw.below(60));
  },
};

/** One schedule alone, by the seed that a failure names: its story is printed. */
const ONLY = process.env['GITFLEET_SCHEDULE'];

export function describeSchedules(share: number): void {
  // Nobody reads the stacks of the thousands of failures that a simulated fleet gets over; they cost a fifth of the time.
  Error.stackTraceLimit = 0;
  const endings = new Map<string, number>();

  async function runs(seed: number, options: { readonly script?: Script } = {}): Promise<void> {
    const { violations, story, ending } = await simulate(seed, options);
    endings.set(ending, (endings.get(ending) ?? 0) + 1);
    if (ONLY) console.info(story.join('\n'));
    if (violations.length === 0) return;
    const name = options.script ? `left paused, GITFLEET_SEED=${SEED}` : `GITFLEET_SCHEDULE=${seed}`;
    throw new Error(`${name}:\n${violations.join('\n')}\n\n${story.join('\n')}`);
  }

  describe(`a simulated fleet of shipped agents and coordinators, share ${share} of ${SHARES}`, () => {
    if (ONLY) {
      it.runIf(share === 1)(`keeps every promise in schedule ${ONLY}`, { timeout: 120_000 }, () => runs(Number(ONLY)));
      return;
    }
    const words = `keeps every promise in ${COUNT} schedules (GITFLEET_SEED=${SEED})`;
    it(words, { timeout: 90 * 60_000 }, async () => {
      const drawn = seeded(SEED + share);
      for (let run = 0; run < COUNT; run++) await runs(drawn.below(2 ** 31));
      if (!QUICK) await runs(drawn.below(2 ** 31), { script: LEFT_PAUSED });
      console.info(`GITFLEET_SEED=${SEED}: schedules ended ${JSON.stringify(Object.fromEntries(endings))}`);
      if (!QUICK) expect([...endings.keys()]).toEqual(expect.arrayContaining(ENDINGS));
    });
  });
}
