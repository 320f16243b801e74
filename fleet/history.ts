import type { Deployment } from '../schemas/deployment.ts';
import type { Quarantined } from '../schemas/hold.ts';
import { targetVersionOf } from '../schemas/target-version.ts';
import type { TargetVersion } from '../schemas/values.ts';
import type { Znodes } from '../schemas/znodes.ts';
import type { Session } from '../zookeeper/session.ts';
import { deploymentNumbers } from './numbered.ts';
import { contentOf, findRecord, joinRecord } from './record-node.ts';

/** The records, newest first, at most `most`. Missing or unreadable ones are skipped. */
export async function readHistory(session: Session, znodes: Znodes, most: number): Promise<Deployment[]> {
  const numbers = (await deploymentNumbers(session, znodes)).slice(0, most);
  const records = await Promise.all(numbers.map((n) => readDeployment(session, znodes, n)));
  return records.filter((record) => record !== null);
}

/**
 * The newest proven deployment that may be activated and that `fits`. The callers differ on purpose. A coordinator
 * needs the last proven one, even if it is the same target, because late joiners go there. A person who rolls back
 * wants to leave the current target, and after a rollback not to return to the one just left.
 */
export function newestProven(
  history: readonly Deployment[],
  quarantined: readonly Quarantined[],
  fits: (record: Deployment) => boolean,
): Deployment | undefined {
  const refused = new Set<string>(quarantined.map((each) => each.commitId));
  return history.find(
    (record) => record.outcome?.state === 'proven' && !refused.has(record.target.commitId) && fits(record),
  );
}

export async function readDeployment(session: Session, znodes: Znodes, number: number): Promise<Deployment | null> {
  return joinRecord(number, await findRecord(session, znodes, number));
}

/** A record with its targetVersion, which reports name. */
export interface Recorded {
  readonly record: Deployment;
  readonly targetVersion: TargetVersion;
}

export async function readRecorded(session: Session, znodes: Znodes, number: number): Promise<Recorded | null> {
  const nodes = await findRecord(session, znodes, number);
  const node = contentOf(nodes.record);
  const record = joinRecord(number, nodes);
  if (!node || !record) return null;
  // One transaction created the record and set config, so they share zxid and time. An adopting record names its
  // targetVersion.
  const own = targetVersionOf({ mzxid: node.stat.czxid, mtime: node.stat.ctime });
  return { record, targetVersion: (record.adopts as TargetVersion | null) ?? own };
}
