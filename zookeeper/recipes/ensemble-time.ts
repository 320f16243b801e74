import type { Clock } from '../../runtime/clock.ts';
import { ANY_VERSION, type CallOptions, type Session } from '../session.ts';

/** What one look at the ensemble's clock showed. */
export interface EnsembleTime {
  /** Ms since the epoch by the leader's clock, at the moment of asking for it. */
  now(): number;
  /** How far this machine's clock is ahead of the ensemble's, ms; behind: negative. True to within `uncertaintyMs`. */
  readonly skewMs: number;
  /** Half the time that the answer took. */
  readonly uncertaintyMs: number;
}

/**
 * The ensemble's time, which all its clients share whatever their own clocks say: the mtime of a quorum write. The write
 * empties `path`, a node that exists for this alone. One round trip. Later times count on from it by the monotonic
 * clock, so a wall clock that jumps changes nothing.
 * @throws ZooKeeperError, NO_AUTH without the right to write there, NO_NODE where there is no such node.
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

/** The same for one moment: that of the write. */
export async function ensembleNow(session: Pick<Session, 'set'>, path: string, call?: CallOptions): Promise<number> {
  const { mtime } = await session.set(path, Buffer.alloc(0), ANY_VERSION, call);
  return mtime;
}

/** @param seen when it was asked and answered by our clocks, and the time that the leader wrote in between. */
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
