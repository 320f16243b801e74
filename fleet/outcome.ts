import { type Deployment, encodeOutcome, type Outcome } from '../schemas/deployment.ts';
import type { Znodes } from '../schemas/znodes.ts';
import { isCode } from '../zookeeper/errors.ts';
import type { NodeStat, Operation, Session } from '../zookeeper/session.ts';
import type { Access } from './access.ts';
import { type FoundNode, type FoundVersion, findRecord, joinRecord, versionOf } from './record-node.ts';
import { appOutdated } from './shared-state.ts';
import { createTries } from './tries.ts';

/**
 * How a deployment ended is in a separate node, `outcomes/d-<n>`, because its record is never rewritten. Publishers may
 * only read an outcome of the coordinator. If no coordinator wrote one, a publisher does, and publishers may rewrite it
 * until the coordinator replaces it.
 */
export interface OutcomeParts {
  readonly session: Session;
  readonly znodes: Znodes;
  readonly access: Access;
}

type Judge = 'coordinator' | 'publisher';

/** A deployment that was just read. */
export interface ReadOutcome {
  readonly record: Deployment;
  /** The version of its outcome node; null: there is none. */
  readonly version: FoundVersion;
}

/**
 * Writes an outcome as a publisher; false if the present outcome stands.
 * @param before the deployment as read recently, which saves the first attempt a round trip. Each write names the
 * version that it was planned from, so an attempt from outdated data changes nothing, and the next one reads again.
 */
export async function writeOutcome(
  parts: OutcomeParts,
  number: number,
  outcome: Outcome,
  before: ReadOutcome | null = null,
): Promise<boolean> {
  const tries = createTries();
  for (let known = before; ; known = null) {
    const operations = known
      ? publisherWrites(parts, number, outcome, known)
      : await outcomeOperations(parts, 'publisher', number, outcome);
    if (operations.length === 0) return false;
    try {
      await parts.session.transact(operations);
      return true;
    } catch (error) {
      // The coordinator's outcome stands.
      if (isCode(error, 'NO_AUTH')) return false;
      if (!isCode(error, 'BAD_VERSION', 'NODE_EXISTS', 'NO_NODE')) throw error;
      tries.moved();
    }
  }
}

/**
 * The operations that write an outcome, for a transaction. Empty if there is no record, or if the present outcome
 * stands: only `timed-out` gives way to any other, because it just says that the wait was too short, and `failed` to
 * `proven`, which was then reached late. Also empty if the coordinator cannot write it, because the rollout, which is
 * written in the same transaction, must not wait for that.
 * @throws FleetError APP_MISSING for a publisher, if the app was made by a gitfleet without outcomes.
 */
export async function outcomeOperations(
  parts: OutcomeParts,
  judge: Judge,
  number: number,
  outcome: Outcome,
): Promise<readonly Operation[]> {
  const { session, znodes, access } = parts;
  const path = znodes.outcome(number);
  const [nodes, parent] = await Promise.all([findRecord(session, znodes, number), session.exists(znodes.outcomes)]);
  const record = joinRecord(number, nodes);
  if (!record || stands(record, outcome)) return [];
  if (!parent) {
    if (judge === 'coordinator') return [];
    throw appOutdated(znodes.app, znodes.outcomes);
  }
  if (judge === 'publisher')
    return publisherWrites(parts, number, outcome, { record, version: versionOf(nodes.outcome) });
  const data = dataAfter(record, outcome);
  const create: Operation = { op: 'create', path, data, mode: 'persistent', acl: access.of('outcome') };
  const before = await statOf(session, path, nodes.outcome);
  // A node with children cannot be removed; the rest of the transaction must not fail because of it.
  if (before && before.numChildren > 0) return [];
  return before ? [{ op: 'remove', path, version: before.version }, create] : [create];
}

function publisherWrites(
  { znodes, access }: OutcomeParts,
  number: number,
  outcome: Outcome,
  { record, version }: ReadOutcome,
): readonly Operation[] {
  if (version === 'unreadable' || stands(record, outcome)) return [];
  const path = znodes.outcome(number);
  const data = dataAfter(record, outcome);
  if (version !== null) return [{ op: 'set', path, data, version }];
  return [{ op: 'create', path, data, mode: 'persistent', acl: access.of('outcome', 'publisher') }];
}

const stands = ({ outcome }: Deployment, next: Outcome): boolean => outcome !== null && !givesWay(outcome, next);

const givesWay = (before: Outcome, next: Outcome): boolean =>
  before.state === 'timed-out' || (before.state === 'failed' && next.state === 'proven');

const dataAfter = ({ outcome: before }: Deployment, next: Outcome): Buffer =>
  encodeOutcome(before?.state === 'failed' ? { ...next, reason: 'proven late, after it had failed' } : next);

/** Reading the stat of a node needs no rights. */
async function statOf(session: Session, path: string, found: FoundNode): Promise<NodeStat | null> {
  return found === 'unreadable' ? await session.exists(path) : (found?.stat ?? null);
}
