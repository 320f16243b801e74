import { appMissing, appOutdated } from '../../fleet/shared-state.ts';
import { systemClock } from '../../runtime/clock.ts';
import { classify } from '../../runtime/errors.ts';
import { parseTargetVersion } from '../../schemas/target-version.ts';
import type { TargetVersion } from '../../schemas/values.ts';
import type { Znodes } from '../../schemas/znodes.ts';
import { isCode } from '../../zookeeper/errors.ts';
import { readEnsembleTime, timeOf } from '../../zookeeper/recipes/ensemble-time.ts';
import type { Session } from '../../zookeeper/session.ts';
import { warn } from '../shell/terminal.ts';

/** The time for the whole fleet: the clock of the ensemble, which every time in a znode uses. */
export interface FleetTime {
  /** Ms since the epoch. */
  now(): number;
}

/** About the difference that a person notices; a hold of minutes would be wrong from here. */
const MAX_SKEW_MS = 60_000;
/** Ages are not worth a longer wait. */
const ANSWER_MS = 2_000;

/**
 * For a verb that writes a time, or judges by one. Warns if the clock of this machine is wrong: what a person reads
 * from it and what is written then differ.
 * @throws FleetError APP_MISSING, NO_AUTH and what ZooKeeper answers: without the time nothing is written.
 */
export async function timeToWrite(session: Session, paths: Znodes): Promise<FleetTime> {
  const time = await readEnsembleTime(session, paths.clock, systemClock).catch(async (error: unknown) => {
    if (!isCode(error, 'NO_NODE')) throw error;
    throw (await session.exists(paths.config)) ? appOutdated(paths.app, paths.clock) : appMissing(paths.app);
  });
  if (Math.abs(time.skewMs) > MAX_SKEW_MS) warn(skewWords(time.skewMs));
  return time;
}

/** For ages on screens. If the time is not available, this machine's clock is used, with a note. */
export async function timeToShow(session: Session, paths: Znodes): Promise<FleetTime> {
  try {
    return await readEnsembleTime(session, paths.clock, systemClock, { deadlineMs: ANSWER_MS });
  } catch (error) {
    const { code } = classify(error);
    warn(`note: ages are by the clock of this machine: the time of ZooKeeper was not given (${code})`);
    return systemClock;
  }
}

/** The same from a target that was written just now: its targetVersion has the time, and nothing is asked. */
export function timeSince(targetVersion: TargetVersion): FleetTime {
  const mtime = parseTargetVersion(targetVersion)?.mtime ?? systemClock.now();
  const written = systemClock.monotonic();
  return timeOf({ mtime, asked: written, askedWall: systemClock.now(), answered: written }, systemClock);
}

function skewWords(skewMs: number): string {
  const minutes = Math.round(Math.abs(skewMs) / 60_000);
  const where = skewMs < 0 ? 'behind' : 'ahead of';
  return `warning: this machine's clock is ${minutes} min ${where} ZooKeeper's, which counts: the times below are ZooKeeper's`;
}
