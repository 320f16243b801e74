import { describe, expect, it } from 'vitest';
import type { AgentListener } from '../../../agent/events.ts';
import type { Action, Rest } from '../../../agent/plan.ts';
import { type Beat, createLiveness, feedWatchdog, findStuck } from '../../../agent/service/liveness.ts';
import type { Journal } from '../../../agent/state/journal.ts';
import type { Wanted, WantedTarget } from '../../../agent/state/wanted.ts';
import type { TargetVersion } from '../../../schemas/values.ts';
import { allowedTarget } from '../../support/allowed-target.ts';
import { silentLog } from '../../support/log.ts';
import { createVirtualClock } from '../../support/virtual-clock.ts';

const beats = (all: Record<string, Beat>) => new Map(Object.entries(all));
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

describe('findStuck', () => {
  it('takes a wait for life, for as long as it may last', () => {
    const forEver = { at: 0, waitsFor: 'ZooKeeper', maxMs: null };
    const bounded = { at: 1_000, waitsFor: 'fetch', maxMs: 500 };
    expect(findStuck(beats({}), 9e9)).toBeNull();
    expect(findStuck(beats({ forEver }), 9e9)).toBeNull();
    expect(findStuck(beats({ forEver, bounded }), 1_500)).toBeNull();
  });

  it('names the loop that is longest past its bound', () => {
    const a = { at: 0, waitsFor: 'x', maxMs: 900 };
    const b = { at: 500, waitsFor: 'y', maxMs: 100 };
    expect(findStuck(beats({ a, b }), 1_000)).toEqual({ loop: 'b', waitsFor: 'y', sinceMs: 500, maxMs: 100 });
    expect(findStuck(beats({ b, a }), 1_000)?.loop).toBe('b');
  });
});

const JOURNAL = { progress: null } as Journal;
const NOBODY: Wanted = { kind: 'nothing', why: 'ZooKeeper to answer' };
const SHOP: WantedTarget = {
  kind: 'target',
  targetVersion: '5.100' as TargetVersion,
  target: allowedTarget({ url: 'file:///srv/shop.git', commitId: 'c'.repeat(40), relativePath: 'shop' }),
};
const WAITING: Rest = { kind: 'waiting', waitingFor: 'ZooKeeper to answer' };

type Status = ReturnType<typeof statusOf>;
const statusOf = ({ rest, working }: AgentListener) => ({
  rest: (wanted: Wanted, because: Rest, journal: Journal) => rest?.({ wanted, because, journal }),
  working: (wanted: WantedTarget, action: Action, journal: Journal) => working?.({ wanted, action, journal }),
});

/** An agent's loop of which only the pulse is real, watched with WatchdogSec=60. */
function watched() {
  const clock = createVirtualClock();
  const told: { at: number; said: string }[] = [];
  const calls: string[] = [];
  const liveness = createLiveness({
    clock,
    restMs: () => MINUTE,
    onFirstPass: () => calls.push('ready'),
    onStatus: () => calls.push(liveness.status()),
  });
  const notifier = {
    tell: async (...said: string[]) => void told.push(...said.map((each) => ({ at: clock.monotonic(), said: each }))),
  };
  const stop = feedWatchdog({ notifier, beats: liveness.beats, clock, log: silentLog }, MINUTE);
  const fed = () => told.filter(({ said }) => said === 'WATCHDOG=1').map(({ at }) => at);
  return { clock, liveness, status: statusOf(liveness.listener), told, fed, calls, stop };
}

describe('the watchdog', () => {
  it('is fed three times within its time, by an agent whose ZooKeeper and git are away for days', async () => {
    const { clock, status, fed, stop } = watched();
    for (let look = 0; look < 3 * 24 * 60; look += 1) {
      status.rest(NOBODY, WAITING, JOURNAL);
      await clock.run(clock.monotonic() + MINUTE);
    }
    const times = fed();
    const gaps = times.map((at, n) => at - (times[n - 1] ?? 0));
    expect(Math.max(...gaps)).toBeLessThanOrEqual(20_000);
    expect(fed().at(-1)).toBeGreaterThan(3 * 24 * HOUR - MINUTE);
    stop();
    const before = fed().length;
    await clock.run(clock.monotonic() + HOUR);
    expect(fed()).toHaveLength(before);
  });

  it.each([
    ['a rest from which it does not wake', (s: Status) => s.rest(NOBODY, WAITING, JOURNAL), 7 * MINUTE],
    ['a step that never ends', (s: Status) => s.working(SHOP, 'write', JOURNAL), 25 * HOUR],
  ])('gets nothing more after %s, and is told which loop it is', async (_, turn, within) => {
    const { clock, status, told, fed } = watched();
    turn(status);
    await clock.run(within);
    const last = fed().at(-1) ?? 0;
    expect(last).toBeGreaterThan(0);
    expect(last).toBeLessThan(within - MINUTE / 3);
    expect(told.filter(({ said }) => said.startsWith('STATUS=stuck: the deployment loop waits for'))).toHaveLength(1);
    status.rest(NOBODY, WAITING, JOURNAL);
    await clock.run(clock.monotonic() + MINUTE);
    expect(fed().at(-1)).toBeGreaterThan(within);
  });

  it('gets nothing more when nobody answers for ZooKeeper, not even that it is away', async () => {
    const { clock, liveness, status, fed } = watched();
    liveness.beat('ZooKeeper', 'an answer', 5 * MINUTE);
    for (let look = 0; look < 20; look += 1) {
      status.rest(NOBODY, WAITING, JOURNAL);
      await clock.run(clock.monotonic() + MINUTE);
    }
    expect(fed().at(-1)).toBeLessThanOrEqual(5 * MINUTE);
  });

  it('is ready at the first pass, and has one line for what the agent does', () => {
    const { status, calls } = watched();
    expect(calls).toEqual([]);
    status.rest(NOBODY, WAITING, JOURNAL);
    status.rest(NOBODY, WAITING, JOURNAL);
    status.working(SHOP, 'fetch', JOURNAL);
    const failure = { code: 'DENIED', reason: 'no key', hint: '', next: 'stall' } as const;
    status.rest(NOBODY, { kind: 'failed', failure, retryInMs: null }, JOURNAL);
    status.rest(NOBODY, { kind: 'settled' }, { progress: { commitId: 'c'.repeat(40) } } as Journal);
    expect(calls).toEqual([
      'ready',
      'waiting for ZooKeeper to answer',
      'fetch cccccccccc',
      'DENIED: no key',
      'serves cccccccccc',
    ]);
  });
});
