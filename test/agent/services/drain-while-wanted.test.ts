import { describe, expect, it } from 'vitest';
import { drainWhileWanted } from '../../../agent/services/drain-while-wanted.ts';
import type { StepFacts } from '../../../agent/steps/runner.ts';
import { FleetError } from '../../../runtime/errors.ts';
import { createVirtualClock } from '../../support/virtual-clock.ts';

/** A drain of `drainMs`, of a target that is wanted until `recheck` throws; interrupted after `interruptMs`. */
async function outcome(drainMs: number, recheck: (at: number) => void, interruptMs = Number.POSITIVE_INFINITY) {
  const clock = createVirtualClock();
  const interruption = new AbortController();
  const interrupted = new Error('something else is wanted');
  if (interruptMs < Number.POSITIVE_INFINITY) clock.after(interruptMs, () => interruption.abort(interrupted));
  let asked = 0;
  const parts = {
    clock,
    rotation: { drained: (_: StepFacts, signal: AbortSignal) => clock.sleep(drainMs, signal) },
    recheck: async () => {
      asked += 1;
      recheck(clock.monotonic());
    },
  };
  let ended: unknown = null;
  const draining = drainWhileWanted(parts, {} as StepFacts, interruption.signal).then(
    () => {
      ended = 'drained';
    },
    (error: unknown) => {
      ended = error;
    },
  );
  await clock.run(60_000, () => ended !== null);
  await draining;
  return { ended, at: clock.monotonic(), asked };
}

describe('a drain', () => {
  it('that is short asks nothing', async () => {
    expect(await outcome(900, () => {})).toEqual({ ended: 'drained', at: 900, asked: 0 });
  });

  it('that is long is given up within a second of an abort', async () => {
    const aborted = FleetError.of('NOT_CLEARED', 'the rollout is aborted');
    const stopped = await outcome(30_000, (at) => {
      if (at >= 2_500) throw aborted;
    });
    expect(stopped).toEqual({ ended: aborted, at: 3_000, asked: 3 });
  });

  it('goes on while ZooKeeper cannot be asked', async () => {
    const away = FleetError.of('UNREACHABLE', 'ZooKeeper does not answer');
    const drained = await outcome(3_500, () => {
      throw away;
    });
    expect(drained).toEqual({ ended: 'drained', at: 3_500, asked: 3 });
  });

  it('is given up at once where something else is wanted', async () => {
    const { at, ended } = await outcome(30_000, () => {}, 1_200);
    expect([at, String(ended)]).toEqual([1_200, 'Error: something else is wanted']);
  });
});
