import type { Clock } from '../../runtime/clock.ts';
import { newNonce } from '../../runtime/nonce.ts';
import { childPath } from '../paths.ts';
import type { Session } from '../session.ts';

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
 * leaves nothing: one transaction makes a node below `parent`, sets it and removes it again, so it needs the rights to
 * create and delete there; watches on the children of `parent` ring. One round trip. Later times count on from it by
 * the monotonic clock, so a wall clock that jumps changes nothing.
 * @throws ZooKeeperError, NO_AUTH without those rights.
 */
export async function readEnsembleTime(session: Session, parent: string, clock: Clock): Promise<EnsembleTime> {
  const path = childPath(parent, `time-${newNonce()}`);
  const data = Buffer.alloc(0);
  const [asked, askedWall] = [clock.monotonic(), clock.now()];
  const results = await session.transact([
    { op: 'create', path, data, mode: 'persistent' },
    { op: 'set', path, data, version: 0 },
    { op: 'remove', path, version: 1 },
  ]);
  return timeOf({ mtime: results[1]?.stat?.mtime as number, asked, askedWall, answered: clock.monotonic() }, clock);
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
