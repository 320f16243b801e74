import type { Clock } from '../../runtime/clock.ts';
import { classify } from '../../runtime/errors.ts';
import type { StepFacts } from '../steps/runner.ts';
import type { Rotation } from './rotation.ts';

interface DrainParts {
  readonly rotation: Pick<Rotation, 'drained'>;
  /** Whether the target is still to be activated. @throws FleetError when not. */
  readonly recheck: (signal: AbortSignal) => Promise<void>;
  readonly clock: Clock;
}

/** Any other error leaves the question open: it is asked again, and once more right before the swap. */
const isNotWanted = (error: unknown): boolean =>
  ['NOT_CLEARED', 'NO_LONGER_WANTED', 'QUARANTINED'].includes(classify(error).code);

/** The time between two checks, during a drain, that the target is still wanted. */
const LOOK_MS = 1_000;

/**
 * Drains, and stops that as soon as the target is no longer to be activated: a rollout that is aborted or halted
 * meanwhile does not keep a server out of its services until the drain has ended.
 * @throws FleetError of `recheck`, or the signal's reason.
 */
export async function drainWhileWanted(parts: DrainParts, facts: StepFacts, interrupt: AbortSignal): Promise<void> {
  const { rotation, recheck, clock } = parts;
  const ended = new AbortController();
  const unwanted = new AbortController();
  const looking = (async () => {
    const signal = AbortSignal.any([interrupt, ended.signal]);
    while (!signal.aborted && !unwanted.signal.aborted) {
      await clock.sleep(LOOK_MS, signal).catch(() => {});
      if (signal.aborted) return;
      await recheck(signal).catch((error: unknown) => {
        if (isNotWanted(error)) unwanted.abort(error);
      });
    }
  })();
  try {
    await rotation.drained(facts, AbortSignal.any([interrupt, unwanted.signal]));
  } catch (error) {
    throw unwanted.signal.aborted ? unwanted.signal.reason : error;
  } finally {
    ended.abort();
    await looking;
  }
}
