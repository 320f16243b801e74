import { describe, expect, it } from 'vitest';
import { createFreshness, within } from '../../publisher/freshness.ts';
import { plain } from '../../publisher/screens/columns.ts';
import { staleChange, staleLines } from '../../publisher/screens/stale-lines.ts';
import type { Code } from '../../runtime/codes.ts';
import { FleetError } from '../../runtime/errors.ts';
import { createVirtualClock, type VirtualClock } from '../support/virtual-clock.ts';

/** The clock goes on by so much. */
async function pass(clock: VirtualClock, ms: number): Promise<void> {
  const over = clock.sleep(ms);
  await clock.run(clock.monotonic() + ms);
  await over;
}
const failure = (code: Code) =>
  new FleetError({ code, reason: `get /c: ${code}`, hint: `${code} helps`, next: 'stall' });

describe('a picture', () => {
  it('is stale once nothing was answered for 2 s, since the last answer, and fresh with the next', async () => {
    const clock = createVirtualClock();
    const freshness = createFreshness(clock);
    await pass(clock, 5_000);
    freshness.seen();
    const since = clock.now();
    await pass(clock, 1_999);
    freshness.failed(failure('DEADLINE'));
    expect(freshness.stale()).toBeNull();
    await pass(clock, 1);
    expect(freshness.stale()).toEqual({ since, reason: 'get /c: DEADLINE', refusal: null });
    await pass(clock, 10_000);
    expect(freshness.stale()).toMatchObject({ since });
    freshness.seen();
    expect(freshness.stale()).toBeNull();
    // What was the matter before the last answer is no reason now.
    await pass(clock, 3_000);
    expect(freshness.stale()).toMatchObject({ reason: 'no answer' });
  });

  it('that ZooKeeper refuses is not called unanswered', async () => {
    const clock = createVirtualClock();
    const freshness = createFreshness(clock);
    freshness.failed(failure('NO_AUTH'));
    await pass(clock, 120_000);
    const stale = freshness.stale();
    const screen = { columns: Number.POSITIVE_INFINITY, wraps: true, now: clock.now(), paint: plain };
    expect(staleLines(stale, screen)).toEqual([
      'STALE: ZooKeeper refuses to be read, for 2 min now (get /c: NO_AUTH)',
      '  NO_AUTH helps',
      '  the data below is the last known state; agents keep serving what they serve',
    ]);
    expect(staleChange(null, stale)).toEqual(['STALE: ZooKeeper refuses to be read (get /c: NO_AUTH): NO_AUTH helps']);
  });
});

it('where lines stay, one says it and one takes it back, however often its reason changes', () => {
  const stale = (reason: string) => ({ since: 1, reason, refusal: null });
  const states = [null, stale('a'), stale('a'), stale('b'), null, null];
  expect(states.flatMap((state, at) => staleChange(states[at - 1] ?? null, state))).toEqual([
    'STALE: ZooKeeper does not answer (a)',
    'ZooKeeper answers again',
  ]);
});

it('what takes longer than it may gives null, and its failure later is nobody’s', async () => {
  const clock = createVirtualClock();
  const slow = clock.sleep(5_000).then(() => Promise.reject(new Error('late')));
  const given = within(clock, 1_000, slow);
  await clock.run(10_000);
  expect(await given).toBeNull();
  expect(await within(clock, 1_000, Promise.resolve(7))).toBe(7);
  await expect(within(clock, 1_000, Promise.reject(new Error('no')))).rejects.toThrow('no');
});
