import { type Deployment, type Outcome, outcome as outcomeSchema, parseDeployment } from '../schemas/deployment.ts';
import type { Quarantined } from '../schemas/hold.ts';
import { targetVersionOf } from '../schemas/target-version.ts';
import type { TargetVersion } from '../schemas/values.ts';
import type { Znodes } from '../schemas/znodes.ts';
import { isCode } from '../zookeeper/errors.ts';
import { ANY_VERSION, type Operation, type Session } from '../zookeeper/session.ts';
import { recordOf } from './read-record.ts';
import { createTries } from './tries.ts';

/** Records kept under `deployments` (docs/design.md, section 3). */
export const KEPT = 200;

/** The newest records first, at most `most`; numbers that are missing or unreadable are skipped. */
export async function readHistory(session: Session, znodes: Znodes, most: number): Promise<Deployment[]> {
  const numbers = (await numbersOf(session, znodes)).slice(0, most);
  const records = await Promise.all(numbers.map((n) => readDeployment(session, znodes, n)));
  return records.filter((record) => record !== null);
}

/**
 * The newest proven deployment that may be activated and that `fits`. Who asks differs on purpose: a coordinator wants
 * what was proven last, the same target too, since late joiners go there; a person who rolls back wants to leave what
 * config holds, and after a rollback not to return to what was just left.
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
  return recordOf(await session.get(znodes.deployment(number)));
}

/** A record and the targetVersion that it stands for: what reports name. */
export interface Recorded {
  readonly record: Deployment;
  readonly targetVersion: TargetVersion;
}

export async function readRecorded(session: Session, znodes: Znodes, number: number): Promise<Recorded | null> {
  const node = await session.get(znodes.deployment(number));
  const record = recordOf(node);
  if (!node || !record) return null;
  // One transaction made the record and set config, so they share zxid and time; an adopted one names what it stands for.
  const own = targetVersionOf({ mzxid: node.stat.czxid, mtime: node.stat.ctime });
  return { record, targetVersion: (record.adopts as TargetVersion | null) ?? own };
}

/** Writes how a deployment ended, unless its outcome stands already: false then. */
export async function writeOutcome(
  session: Session,
  znodes: Znodes,
  number: number,
  outcome: Outcome,
): Promise<boolean> {
  const tries = createTries();
  for (;;) {
    const write = await outcomeWrite(session, znodes, number, outcome);
    if (!write) return false;
    try {
      await session.set(write.path, write.data, write.version);
      return true;
    } catch (error) {
      if (!isCode(error, 'BAD_VERSION')) throw error;
      tries.moved();
    }
  }
}

/**
 * The write that says how a deployment ended, for a transaction. Null when there is nothing to say: a first outcome
 * stands, except that a `timed-out` one, which only says that the wait was too short, gives way, and that `failed` gives
 * way to `proven`: what was fixed later was reached late. What a newer version wrote beside it is kept.
 */
export async function outcomeWrite(
  session: Session,
  znodes: Znodes,
  number: number,
  outcome: Outcome,
): Promise<SetOperation | null> {
  const path = znodes.deployment(number);
  const node = await session.get(path);
  const record = node && parseDeployment(node.data);
  if (!node || !record || (record.outcome && !givesWay(record.outcome, outcome))) return null;
  const late = record.outcome?.state === 'failed' ? { reason: 'proven late, after it had failed' } : {};
  const written = { ...JSON.parse(node.data.toString('utf8')), outcome: outcomeSchema.parse({ ...outcome, ...late }) };
  return { op: 'set', path, data: Buffer.from(JSON.stringify(written)), version: node.stat.version };
}

const givesWay = (before: Outcome, next: Outcome): boolean =>
  before.state === 'timed-out' || (before.state === 'failed' && next.state === 'proven');

type SetOperation = Extract<Operation, { op: 'set' }>;

/** Removes at one go no more than this; what is left goes with the next publishes. */
const MAX_FORGOTTEN = 100;

/** Removes the records beyond the newest ones, the oldest first; gone already is fine. */
export async function forgetOldest(session: Session, znodes: Znodes, newest: number): Promise<void> {
  const numbers = (await numbersOf(session, znodes)).filter((n) => n <= newest);
  const tooMany = numbers.slice(KEPT).slice(-MAX_FORGOTTEN);
  await Promise.all(
    tooMany.map(async (number) => {
      try {
        await session.remove(znodes.deployment(number), ANY_VERSION);
      } catch (error) {
        if (!isCode(error, 'NO_NODE')) throw error;
      }
    }),
  );
}

/** The newest first. */
async function numbersOf(session: Session, znodes: Znodes): Promise<number[]> {
  return ((await session.children(znodes.deployments)) ?? [])
    .map((name) => Number(/^d-([1-9]\d*)$/.exec(name)?.[1]))
    .filter((n) => Number.isSafeInteger(n))
    .sort((a, b) => b - a);
}
