import { type Clock, systemClock } from '../runtime/clock.ts';
import { FleetError } from '../runtime/errors.ts';

/** Lost replies that one write bears: a server that always ends the connection ends each further try as well. */
const MAX_LOST = 4;
/** Tries that found a version moved on: other writers were faster so often. */
const MAX_MOVED = 200;
/** Of the whole, however its tries end. */
export const WHOLE_MS = 45_000;

/** The bound of one write and all its tries. */
export interface Tries {
  /** Another writer was faster. @throws FleetError PUBLISH_STUCK where this was once too often. */
  moved(): void;
  /** The reply was lost, and the write did not take place. @throws FleetError PUBLISH_STUCK likewise. */
  lost(cause: unknown): void;
  /** Ms that are left of the whole. */
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
