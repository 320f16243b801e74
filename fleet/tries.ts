import { type Clock, systemClock } from '../runtime/clock.ts';
import { FleetError } from '../runtime/errors.ts';

/**
 * A write gives up after this many lost replies: a server that always ends the connection would also end the next
 * attempt.
 */
const MAX_LOST = 4;
/** A write gives up after this many conflicts, in each of which another writer was faster. */
const MAX_MOVED = 200;
/** The time limit for all attempts of a write together. */
export const WHOLE_MS = 45_000;

/** The limits of one write with all its attempts. */
export interface Tries {
  /** Another writer was faster. @throws FleetError PUBLISH_STUCK if a limit is reached. */
  moved(): void;
  /** The reply was lost, and the write did not take place. @throws FleetError PUBLISH_STUCK if a limit is reached. */
  lost(cause: unknown): void;
  /** Ms that are left until the time limit. */
  leftMs(): number;
}

export function createTries(wholeMs = WHOLE_MS, clock: Pick<Clock, 'monotonic'> = systemClock): Tries {
  const until = clock.monotonic() + wholeMs;
  let [lost, moved] = [0, 0];
  const leftMs = () => Math.max(0, until - clock.monotonic());
  return {
    leftMs,
    moved() {
      moved += 1;
      if (moved > MAX_MOVED || leftMs() === 0) throw stuck('other writers were faster at each try');
    },
    lost(cause) {
      lost += 1;
      if (lost >= MAX_LOST || leftMs() === 0) throw stuck('ZooKeeper ended the connection at each try', cause);
    },
  };
}

const stuck = (what: string, cause?: unknown): FleetError =>
  FleetError.of('PUBLISH_STUCK', `${what}; nothing was written as far as ZooKeeper shows`, undefined, cause);
