import { expect, it } from 'vitest';
import { type Clock, systemClock } from '../../../runtime/clock.ts';
import { measureEnsembleTime, readEnsembleTime, timeOf } from '../../../zookeeper/recipes/ensemble-time.ts';
import type { NodeStat } from '../../../zookeeper/session.ts';
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

it('is measured by the shortest of five round trips, in the newest epoch of those', async () => {
  let monotonic = 0;
  const trips = [
    { ms: 2, epoch: 1n, mtime: 5_000 },
    { ms: 30, epoch: 2n, mtime: 9_000 },
    { ms: 8, epoch: 2n, mtime: 9_030 },
    { ms: 50, epoch: 2n, mtime: 9_060 },
    { ms: 9, epoch: 2n, mtime: 9_100 },
  ].values();
  const set = async () => {
    const { ms, epoch, mtime } = trips.next().value as { ms: number; epoch: bigint; mtime: number };
    monotonic += ms;
    return { mtime, mzxid: (epoch << 32n) + 1n } as NodeStat;
  };
  const time = await measureEnsembleTime({ set }, '/clock', { now: () => 0, monotonic: () => monotonic });
  expect(time).toMatchObject({ epoch: 2, uncertaintyMs: 4 });
  // Written 4 ms before its answer at 40; now is 99.
  expect(time.now()).toBe(9_030 + 4 + 59);
});

it('has the epoch of the ensemble that answered', async () => {
  const session = open(real.connect());
  await session.ensure('/clock');
  const { epoch, uncertaintyMs } = await measureEnsembleTime(session, '/clock', systemClock);
  const node = await session.exists('/clock');
  expect(epoch).toBe(Number((node?.mzxid ?? 0n) >> 32n));
  expect(uncertaintyMs).toBeGreaterThan(0);
});
