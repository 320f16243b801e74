import { expect, it } from 'vitest';
import { followTarget } from '../../../agent/coordination/target-feed.ts';
import { type Clock, systemClock } from '../../../runtime/clock.ts';
import type { Logger } from '../../../runtime/log.ts';
import { znodes } from '../../../schemas/znodes.ts';
import { errorFor } from '../../../zookeeper/result-codes.ts';
import type { Session } from '../../../zookeeper/session.ts';
import { doorFor } from '../../support/allowed-target.ts';

it('an agent without rights says so once with the hint, asks within a minute, and goes on when it has them', async () => {
  let [now, asked] = [0, 0];
  const lines: unknown[] = [];
  const waits: number[] = [];
  const sleep = async (ms: number) => {
    waits.push(ms);
    now += ms;
  };
  const clock: Clock = { ...systemClock, monotonic: () => now, sleep };
  const session = {
    async *watch() {
      asked += 1;
      if (asked <= 12) throw errorFor(-102, { op: 'get', path: '/x/config' });
      yield { exists: false };
    },
  } as unknown as Session;
  const log = { warn: (fields: unknown) => lines.push(fields), info: () => {} } as unknown as Logger;
  const parts = { session, znodes: znodes('/x'), resyncMs: 1, door: doorFor([]), accepted: () => null };
  const signal = new AbortController().signal;
  for await (const { wanted } of followTarget({ ...parts, log, clock, random: () => 0.5 }, signal)) {
    expect(wanted.kind).toBe('nothing');
    break;
  }
  expect(lines).toEqual([expect.objectContaining({ hint: expect.stringContaining('zookeeper.authFile') })]);
  expect(waits.slice(0, 3)).toEqual([1_000, 2_000, 4_000]);
  expect(Math.max(...waits)).toBe(40_000);
});
