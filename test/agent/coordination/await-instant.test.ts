import { describe, expect, it } from 'vitest';
import { awaitInstant } from '../../../agent/coordination/await-instant.ts';
import type { NodeStat } from '../../../zookeeper/session.ts';
import { createVirtualClock } from '../../support/virtual-clock.ts';

/** Of the ensemble's clock, against ours. */
const AHEAD_MS = 90_000;
const EPOCH = 7;

/** An ensemble whose leader stamps a write in the middle of its round trip; the trips take these times in turn. */
function ensemble(roundTripsMs: readonly number[] = [40, 10, 4, 30, 20]) {
  const clock = createVirtualClock();
  let asked = 0;
  const time = () => clock.now() + AHEAD_MS;
  const set = async () => {
    const halfMs = (roundTripsMs[asked++ % roundTripsMs.length] ?? 0) / 2;
    await clock.sleep(halfMs);
    const stat = { mtime: time(), mzxid: (BigInt(EPOCH) << 32n) + BigInt(asked) };
    await clock.sleep(halfMs);
    return stat as NodeStat;
  };
  return { clock, time, session: { set } };
}

async function swapAt(aheadMs: number, epoch = EPOCH, world = ensemble()) {
  const { clock, time, session } = world;
  const instant = { at: time() + aheadMs, epoch };
  let went = 0;
  const waiting = awaitInstant({ session, path: '/clock', clock }, instant, new AbortController().signal).then(
    (stamp) => {
      went = time();
      return stamp();
    },
  );
  await clock.run(600_000, () => went > 0);
  return { afterMs: went - instant.at, swapped: await waiting };
}

describe('the instant', () => {
  it('is waited for by the clock of the ensemble, as exactly as the shortest of five round trips tells it', async () => {
    const { afterMs, swapped } = await swapAt(2_000);
    expect(Math.abs(afterMs)).toBeLessThanOrEqual(2);
    expect(swapped).toMatchObject({ errorMs: 2, waited: true });
  });

  it('is not waited for where it has passed, and the stamp says so', async () => {
    const { afterMs, swapped } = await swapAt(-5_000);
    expect(afterMs).toBe(5_000 + 40 + 10 + 4 + 30 + 20);
    expect(swapped).toMatchObject({ waited: false, errorMs: 2, at: swapped.instant + afterMs });
  });

  it('says nothing of the spread where another leader named it, and keeps nobody waiting for more than a minute', async () => {
    const { afterMs, swapped } = await swapAt(3_600_000, EPOCH - 1);
    expect(swapped.errorMs).toBeNull();
    expect(afterMs).toBeLessThan(-3_500_000);
    expect((await swapAt(1_000, EPOCH - 1)).swapped).toMatchObject({ errorMs: null, waited: true });
  });

  it('is waited for by nobody once something else is wanted', async () => {
    const { clock, time, session } = ensemble();
    const control = new AbortController();
    const instant = { at: time() + 2_000, epoch: EPOCH };
    const waiting = awaitInstant({ session, path: '/clock', clock }, instant, control.signal).then(
      () => 'swaps',
      (error: Error) => error.message,
    );
    clock.after(500, () => control.abort(new Error('something else')));
    await clock.run(1_000);
    expect(await waiting).toBe('something else');
  });

  it('is no moment for one that cannot ask for the time', async () => {
    const { clock, time } = ensemble();
    const session = { set: async () => Promise.reject(new Error('NO_AUTH')) };
    const never = new AbortController().signal;
    await expect(
      awaitInstant({ session, path: '/clock', clock }, { at: time() - 1, epoch: EPOCH }, never),
    ).rejects.toThrow('NO_AUTH');
  });
});
