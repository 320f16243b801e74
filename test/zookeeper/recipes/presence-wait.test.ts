import { expect, it } from 'vitest';
import type { Clock } from '../../../runtime/clock.ts';
import { ZooKeeperError } from '../../../zookeeper/errors.ts';
import { joinMembership } from '../../../zookeeper/recipes/membership.ts';
import type { Session, SessionState } from '../../../zookeeper/session.ts';
import { silentLog } from '../../support/log.ts';

/** A presence that cannot be looked at, with a clock that only notes how long is waited. */
function failing(code: 'NO_AUTH' | 'CONNECTION_LOSS') {
  const waits: number[] = [];
  let wake: () => void = () => {};
  let tell: (state: SessionState) => void = () => {};
  const clock = {
    now: () => 0,
    monotonic: () => 0,
    sleep: (ms: number, signal?: AbortSignal) =>
      new Promise<void>((resolve, reject) => {
        waits.push(ms);
        wake = resolve;
        signal?.addEventListener('abort', () => reject(signal.reason));
      }),
  } as unknown as Clock;
  const session = {
    state: 'connected',
    onState: (listener: typeof tell) => {
      tell = listener;
      return () => {};
    },
    exists: async () => null,
    watch: async function* () {
      await Promise.resolve();
      yield* [];
      throw new ZooKeeperError({ code, reason: 'x' }, { path: '/p', outcome: 'none' });
    },
  } as unknown as Session;
  const data = () => Buffer.from('{}');
  const who = { path: '/p', instanceId: 'i', machineId: 'm', data };
  const member = joinMembership(session, { ...who, clock, random: () => 1, log: silentLog });
  return { waits, member, wake: () => wake(), connect: () => tell('connected') };
}

it.each(['NO_AUTH', 'CONNECTION_LOSS'] as const)('after %s the waits grow to 15 s and no longer', async (code) => {
  const { waits, wake, member } = failing(code);
  for (let n = 1; n <= 9; n++) {
    await expect.poll(() => waits.length).toBe(n);
    wake();
  }
  expect(waits.slice(0, 9)).toEqual([200, 400, 800, 1_600, 3_200, 6_400, 12_800, 15_000, 15_000]);
  await member.leave();
});

it('a new connection ends the wait', async () => {
  const { waits, connect, member } = failing('NO_AUTH');
  await expect.poll(() => waits.length).toBe(1);
  connect();
  await expect.poll(() => waits.length).toBe(2);
  await member.leave();
});
