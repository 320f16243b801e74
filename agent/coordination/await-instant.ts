import type { Clock } from '../../runtime/clock.ts';
import type { Instant, Swapped } from '../../schemas/records/cutover.ts';
import { type EpochTime, measureEnsembleTime } from '../../zookeeper/recipes/ensemble-time.ts';
import type { Session } from '../../zookeeper/session.ts';

/** Returns, for the moment of the call, how this agent swapped. */
export type SwapStamp = () => Swapped;

interface InstantParts {
  readonly session: Pick<Session, 'set'>;
  /** The znode whose writes carry the time of the ensemble. */
  readonly path: string;
  readonly clock: Clock;
}

/** An instant is a few seconds ahead. One that seems further away was set by a clock other than the one measured. */
const MAX_WAIT_MS = 60_000;

/**
 * Waits for the instant at which all agents of the wave swap, by the clock of the ensemble, which is measured again for
 * each instant. An instant that has passed is not waited for. A process that is stopped meanwhile continues when it
 * wakes: late, not wrong.
 *
 * It never returns before the instant, except by the error of the measurement. If ZooKeeper got another leader since
 * the instant was set, it waits by the new leader's clock, at most a minute, and the stamp says that it measured
 * nothing.
 * @throws the reason of the signal; ZooKeeperError if the time cannot be read: without it no agent swaps.
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
