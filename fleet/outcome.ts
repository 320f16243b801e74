import { encodeOutcome, type Outcome } from '../schemas/deployment.ts';
import type { Znodes } from '../schemas/znodes.ts';
import { isCode } from '../zookeeper/errors.ts';
import type { NodeStat, Operation, Session } from '../zookeeper/session.ts';
import type { Access } from './access.ts';
import { type FoundNode, findRecord, joinRecord } from './record-node.ts';
import { appOutdated } from './shared-state.ts';
import { createTries } from './tries.ts';

/**
 * How a deployment ended stands in a node of its own, `outcomes/d-<n>`, beside the record that nobody writes again. The
 * coordinator's outcome is one that publishers may only read; one that a publisher wrote, because no coordinator did,
 * publishers may write again, until the coordinator puts its own in its place.
 */
export interface OutcomeParts {
  readonly session: Session;
  readonly znodes: Znodes;
  readonly access: Access;
}

type Judge = 'coordinator' | 'publisher';

/** A publisher writes how a deployment ended, unless its outcome stands already: false then. */
export async function writeOutcome(parts: OutcomeParts, number: number, outcome: Outcome): Promise<boolean> {
  const tries = createTries();
  for (;;) {
    const operations = await outcomeOperations(parts, 'publisher', number, outcome);
    if (operations.length === 0) return false;
    try {
      await parts.session.transact(operations);
      return true;
    } catch (error) {
      // The coordinator's stands.
      if (isCode(error, 'NO_AUTH')) return false;
      if (!isCode(error, 'BAD_VERSION', 'NODE_EXISTS', 'NO_NODE')) throw error;
      tries.moved();
    }
  }
}

/**
 * The writes that say how a deployment ended, for a transaction. None when there is nothing to say: a first outcome
 * stands, except that a `timed-out` one, which only says that the wait was too short, gives way, and that `failed` gives
 * way to `proven`: what was fixed later was reached late.
 * None either where the coordinator cannot write it: the rollout, which it judges with it, must not wait for that.
 * @throws FleetError APP_MISSING for a publisher where the app was made by a gitfleet without outcomes.
 */
export async function outcomeOperations(
  { session, znodes, access }: OutcomeParts,
  judge: Judge,
  number: number,
  outcome: Outcome,
): Promise<readonly Operation[]> {
  const path = znodes.outcome(number);
  const [nodes, parent] = await Promise.all([findRecord(session, znodes, number), session.exists(znodes.outcomes)]);
  const record = joinRecord(number, nodes);
  if (!record || (record.outcome && !givesWay(record.outcome, outcome))) return [];
  if (!parent) {
    if (judge === 'coordinator') return [];
    throw appOutdated(znodes.app, znodes.outcomes);
  }
  const late = record.outcome?.state === 'failed' ? { reason: 'proven late, after it had failed' } : {};
  const data = encodeOutcome({ ...outcome, ...late });
  const create = (own?: 'publisher'): Operation => ({
    ...{ op: 'create', path, data, mode: 'persistent', acl: access.of('outcome', own) },
  });
  if (judge === 'coordinator') {
    const before = await statOf(session, path, nodes.outcome);
    // What has children is not removed, and no reason to hold the rest of the transaction up.
    if (before && before.numChildren > 0) return [];
    return before ? [{ op: 'remove', path, version: before.version }, create()] : [create()];
  }
  if (nodes.outcome === null) return [create('publisher')];
  return nodes.outcome === 'unreadable' ? [] : [{ op: 'set', path, data, version: nodes.outcome.stat.version }];
}

const givesWay = (before: Outcome, next: Outcome): boolean =>
  before.state === 'timed-out' || (before.state === 'failed' && next.state === 'proven');

/** No right is needed to learn that a node exists. */
async function statOf(session: Session, path: string, found: FoundNode): Promise<NodeStat | null> {
  return found === 'unreadable' ? await session.exists(path) : (found?.stat ?? null);
}
