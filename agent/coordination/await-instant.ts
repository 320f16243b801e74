import type { Clock } from '../../runtime/clock.ts';
import type { Instant, Swapped } from '../../schemas/records/cutover.ts';
import { type EpochTime, measureEnsembleTime } from '../../zookeeper/recipes/ensemble-time.ts';
import type { Session } from '../../zookeeper/session.ts';

/** Says how this agent swapped, at the moment of the call. */
export type SwapStamp = () => Swapped;

interface InstantParts {
  readonly session: Pick<Session, 'set'>;
  /** The znode whose writes carry the time of the ensemble. */
  readonly path: string;
  readonly clock: Clock;
}

/** An instant is seconds ahead. One that seems further away was named by another clock than the one measured. */
const MAX_WAIT_MS = 60_000;

/**
 * Waits until all agents of the wave swap, by the clock of the ensemble, which is asked again for each instant. Where the
 * instant has passed it does not wait. A process that is stopped meanwhile goes on when it wakes: late, not wrong.
 *
 * Never returns before the instant, but for the error of the measurement. Where ZooKeeper got another leader since the
 * instant was named, it waits by the new leader's clock, a minute at most, and the stamp says that it measures nothing.
 * @throws the reason of the signal; ZooKeeperError where the time cannot be asked: without it no agent swaps.
 */
export async function awaitInstant(
  { session, path, clock }: InstantParts,
  instant: Instant,
  signal: AbortSignal,
): Promise<SwapStamp> {
  const time = await measureEnsembleTime(session, path, clock);
  signal.throwIfAborted();
  const aheadMs = instant.at - time.now();
  if (aheadMs > 0) await clock.sleep(Math.min(aheadMs, MAX_WAIT_MS), signal);
  return () => stampOf(instant, time, aheadMs);
}

function stampOf(instant: Instant, time: EpochTime, aheadMs: number): Swapped {
  const isSameClock = time.epoch === instant.epoch && aheadMs <= MAX_WAIT_MS;
  return {
    instant: instant.at,
    at: time.now(),
    errorMs: isSameClock ? time.uncertaintyMs : null,
    waited: aheadMs > 0,
  };
}
