import { expect, it } from 'vitest';
import { type Clock, systemClock } from '../../../runtime/clock.ts';
import { readEnsembleTime, timeOf } from '../../../zookeeper/recipes/ensemble-time.ts';
import { realServers } from '../../support/zookeeper/server.ts';
import { sessionsForTest } from '../../support/zookeeper/session.ts';

const real = realServers(1);
const open = sessionsForTest();
const HOUR = 3_600_000;

it.each([0, HOUR, -HOUR])(
  'a clock that is %i ms ahead is found out by one write, which leaves nothing',
  async (ahead) => {
    const session = open(real.connect());
    await session.ensure('/clock');
    const clock: Clock = { ...systemClock, now: () => systemClock.now() + ahead };
    const time = await readEnsembleTime(session, '/clock', clock);
    expect(Math.abs(time.skewMs - ahead)).toBeLessThanOrEqual(time.uncertaintyMs + 5);
    expect(Math.abs(time.now() - systemClock.now())).toBeLessThan(time.uncertaintyMs + 50);
    expect((await session.get('/clock'))?.data.length).toBe(0);
    expect(await session.children('/clock')).toEqual([]);
  },
);

it('counts on by the monotonic clock, whatever the wall clock does meanwhile', () => {
  let monotonic = 120;
  const time = timeOf(
    { mtime: 1_000_000, asked: 100, askedWall: 1_003_000, answered: 120 },
    { monotonic: () => monotonic },
  );
  expect([time.skewMs, time.uncertaintyMs, time.now()]).toEqual([3_010, 10, 1_000_010]);
  monotonic += 5_000;
  expect(time.now()).toBe(1_005_010);
});
