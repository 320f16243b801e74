import type { Clock } from '../../runtime/clock.ts';
import { ANY_VERSION, type CallOptions, type Session } from '../session.ts';

/** One reading of the ensemble's clock. */
export interface EnsembleTime {
  /** Ms since the epoch by the leader's clock, at the time of this call. */
  now(): number;
  /**
   * How far this machine's clock is ahead of the ensemble's, ms; negative: behind. Accurate to within `uncertaintyMs`.
   */
  readonly skewMs: number;
  /** Half the round trip. */
  readonly uncertaintyMs: number;
}

/**
 * The ensemble's time, which all clients share whatever their own clocks say: the mtime of a quorum write. The write
 * empties `path`, a node that exists only for this. One round trip. Later times are counted from it by the monotonic
 * clock, so a jump of the wall clock changes nothing.
 * @throws ZooKeeperError: NO_AUTH without the right to write there, NO_NODE if there is no such node.
 */
export async function readEnsembleTime(
  session: Pick<Session, 'set'>,
  path: string,
  clock: Pick<Clock, 'now' | 'monotonic'>,
  call?: CallOptions,
): Promise<EnsembleTime> {
  const [asked, askedWall] = [clock.monotonic(), clock.now()];
  const mtime = await ensembleNow(session, path, call);
  return timeOf({ mtime, asked, askedWall, answered: clock.monotonic() }, clock);
}

/** The same for one moment, the time of the write. */
export async function ensembleNow(session: Pick<Session, 'set'>, path: string, call?: CallOptions): Promise<number> {
  const { mtime } = await session.set(path, Buffer.alloc(0), ANY_VERSION, call);
  return mtime;
}

/** The same with the epoch that it is of. A new leader of the ensemble has another clock, and another epoch. */
export interface EpochTime extends EnsembleTime {
  readonly epoch: number;
}

/** As many round trips as one measurement takes. */
const TRIES = 5;

/**
 * The time as exactly as a client can know it: the shortest of five round trips, all of them in the newest epoch. The
 * leader stamps a write at some moment between question and answer, so the error is at most half of that round trip,
 * however slowly its disk commits.
 * @throws as readEnsembleTime.
 */
export async function measureEnsembleTime(
  session: Pick<Session, 'set'>,
  path: string,
  clock: Pick<Clock, 'now' | 'monotonic'>,
  call?: CallOptions,
): Promise<EpochTime> {
  let best: EpochTime | null = null;
  for (let n = 0; n < TRIES; n++) {
    const [asked, askedWall] = [clock.monotonic(), clock.now()];
    const { mtime, mzxid } = await session.set(path, Buffer.alloc(0), ANY_VERSION, call);
    const time = { ...timeOf({ mtime, asked, askedWall, answered: clock.monotonic() }, clock), epoch: epochOf(mzxid) };
    if (best === null || time.epoch > best.epoch || time.uncertaintyMs < best.uncertaintyMs) best = time;
  }
  return best as EpochTime;
}

/** The upper half of a transaction's number counts the leaders. */
const epochOf = (zxid: bigint): number => Number(zxid >> 32n);

/** @param seen when the write was sent and answered by our clocks, and the time that the leader recorded in between. */
export function timeOf(
  seen: {
    readonly mtime: number;
    readonly asked: number;
    readonly askedWall: number;
    readonly answered: number;
  },
  clock: Pick<Clock, 'monotonic'>,
): EnsembleTime {
  const uncertaintyMs = (seen.answered - seen.asked) / 2;
  const written = seen.asked + uncertaintyMs;
  return {
    now: () => Math.round(seen.mtime + clock.monotonic() - written),
    skewMs: Math.round(seen.askedWall + uncertaintyMs - seen.mtime),
    uncertaintyMs,
  };
}
