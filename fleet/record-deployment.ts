import { FleetError } from '../runtime/errors.ts';
import { type Deployment, deployment, deploymentName, encodeDeployment, UNREADABLE } from '../schemas/deployment.ts';
import { chainTo } from '../schemas/records/chain.ts';
import { coreOf } from '../schemas/target.ts';
import type { Znodes } from '../schemas/znodes.ts';
import { isCode } from '../zookeeper/errors.ts';
import type { Operation, OperationResult, Session } from '../zookeeper/session.ts';
import type { Access } from './access.ts';
import { checkCounter, isPublished, readSharedState, type SharedState } from './shared-state.ts';
import { createTries, type Tries } from './tries.ts';

/**
 * How a deployment gets its number and its record, in one transaction with what it records: a publish
 * (publish-transaction.ts), or a foreign write of `config`, which is recorded here. Guarantee: of the clients that read
 * the same last number, at most one gets the next.
 */
export interface RecordParts {
  readonly session: Session;
  readonly znodes: Znodes;
  readonly access: Access;
  readonly now: () => number;
  readonly newNonce: () => string;
  /** The time limit for all attempts together, ms; default 45 s. */
  readonly wholeMs?: number;
}

/** Gives a foreign write of `config` its record, if it has none yet. @returns the state after that. */
export async function recordForeign(
  parts: RecordParts,
  since: SharedState,
  tries: Tries = createTries(parts.wholeMs),
): Promise<SharedState> {
  let state = since;
  while (isUnrecorded(state)) {
    await adopt(parts, state, tries);
    state = await readFresh(parts);
  }
  return state;
}

/** Whether `config` holds a foreign write that has no record yet. */
export const isUnrecorded = ({ config, current }: SharedState): boolean => isPublished(config) && !current;

/** The record that it gets. If the value is no target, the record says so, and agents refuse it too. */
export function foreignRecord(state: SharedState, { nonce, at }: Pick<Deployment, 'nonce' | 'at'>): Deployment {
  const { target, refused } = state.config;
  const unreadable = { url: UNREADABLE, commitId: UNREADABLE, relativePath: UNREADABLE };
  return deployment.parse({
    number: state.deployments.last + 1,
    target: target ? coreOf(target) : unreadable,
    by: 'foreign writer',
    reason: refused ? `refused: ${refused.code}` : 'config was set by another ZooKeeper client',
    via: 'adopted',
    nonce,
    previous: state.lastRecord?.number ?? null,
    adopts: state.config.targetVersion,
    chain: chainTo(state.deployments.before),
    at,
  });
}

/**
 * Gives a foreign write of `config` its record: check `config`, set `deployments`, create `d-<n>` whose `adopts` names
 * that targetVersion.
 */
async function adopt(parts: RecordParts, state: SharedState, tries: Tries): Promise<void> {
  checkCounter(state.deployments);
  const record = foreignRecord(state, { nonce: parts.newNonce(), at: parts.now() });
  const operations: Operation[] = [
    { op: 'check', path: parts.znodes.config, version: state.config.version },
    ...numbering(parts, state, record),
  ];
  try {
    if ((await commitRecord(parts, operations, record)) === null) tries.moved();
  } catch (error) {
    // The caller reads again and sees whether the transaction took place.
    if (!isLostReply(error)) throw error;
    tries.lost(error);
  }
}

/** Sets the counter and creates the record. */
export function numbering({ znodes, access }: RecordParts, state: SharedState, record: Deployment): Operation[] {
  const number = Buffer.from(String(record.number));
  const data = encodeDeployment(record);
  const acl = access.of('deployment');
  return [
    { op: 'set', path: znodes.deployments, data: number, version: state.deployments.version },
    { op: 'create', path: znodes.deployment(record.number), data, mode: 'persistent', acl },
  ];
}

/** Null: another client was faster, so a version had changed. */
export async function commitRecord(
  { session, znodes }: RecordParts,
  operations: Operation[],
  { number }: Deployment,
): Promise<OperationResult[] | null> {
  try {
    return await session.transact(operations);
  } catch (error) {
    if (isCode(error, 'BAD_VERSION')) return null;
    // `deployments` was set first, at the version that was read. So no client was faster; the number is wrong.
    if (isCode(error, 'NODE_EXISTS') && error.path === znodes.deployment(number)) throw behind(number);
    throw error;
  }
}

export const isLostReply = (error: unknown): boolean =>
  isCode(error, 'CONNECTION_LOSS', 'DEADLINE') && error.outcome === 'unknown';

const behind = (number: number): FleetError =>
  FleetError.of(
    'DEPLOYMENTS_BEHIND',
    `the deployments znode says ${number - 1}, but ${deploymentName(number)} is there already; nothing was written`,
  );

export async function readFresh(parts: RecordParts): Promise<SharedState> {
  await parts.session.catchUp(parts.znodes.config);
  return await readSharedState(parts.session, parts.znodes);
}
