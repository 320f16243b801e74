import { readDeployment } from '../fleet/history.ts';
import { KEPT } from '../fleet/numbered.ts';
import { type DeploymentPin, makePins, readPins, removePins } from '../git/host/deployment-pins.ts';
import type { Git } from '../git/run/process.ts';
import type { Znodes } from '../schemas/znodes.ts';
import type { Session } from '../zookeeper/session.ts';

/**
 * Brings the pins of an app to its history: as many of the newest deployments as there are records, by any publisher,
 * each at the commit of its record if this repository has it. So what an earlier hook could not pin, because it was
 * ended or the disk was full, is pinned by the next one.
 * @param newest the number of the last deployment.
 */
export async function pinDeployments(
  git: Git,
  gitDir: string,
  { session, znodes }: { readonly session: Session; readonly znodes: Znodes },
  newest: number,
): Promise<void> {
  const present = await readPins(git, gitDir, znodes.app);
  const { missing, outdated } = comparePins(present, newest);
  const records = await Promise.all(missing.map((number) => readDeployment(session, znodes, number)));
  const make = records.flatMap((record): DeploymentPin[] =>
    record ? [{ number: record.number, commitId: record.target.commitId }] : [],
  );
  await makePins(git, gitDir, znodes.app, make);
  await removePins(git, gitDir, znodes.app, outdated);
}

/**
 * The newest is always written: if an app was created again, with its numbers from 1, its old pins are overwritten one
 * by one.
 */
export function comparePins(
  present: readonly DeploymentPin[],
  newest: number,
): { missing: number[]; outdated: number[] } {
  const oldest = Math.max(1, newest - KEPT + 1);
  const pinned = new Set(present.map(({ number }) => number));
  const wanted = Array.from({ length: newest - oldest + 1 }, (_, at) => oldest + at);
  return {
    missing: wanted.filter((number) => number === newest || !pinned.has(number)),
    outdated: [...pinned].filter((number) => number < oldest),
  };
}
