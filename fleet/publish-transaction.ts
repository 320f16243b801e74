import { FleetError } from '../runtime/errors.ts';
import { clean } from '../runtime/log.ts';
import { type Deployment, deployment, deploymentName, parseDeployment } from '../schemas/deployment.ts';
import { toJson } from '../schemas/lenient-json.ts';
import { ANY_URL, encodeTarget, parseTarget, type Target, targetVersionOf } from '../schemas/target.ts';
import type { TargetVersion } from '../schemas/values.ts';
import type { Znodes } from '../schemas/znodes.ts';
import { isCode, ZooKeeperError } from '../zookeeper/errors.ts';
import type { Operation, Session } from '../zookeeper/session.ts';
import type { Access } from './access.ts';
import { checkHold, checkQuarantine } from './refusals.ts';
import { isRecorded, readSharedState, type SharedState } from './shared-state.ts';

export interface PublishRequest {
  readonly target: Target;
  readonly author: string;
  readonly reason: string;
  readonly via: 'publish' | 'rollback' | 'hook';
  readonly ref?: string | null;
  readonly returnsTo?: number | null;
}

export interface Published {
  readonly record: Deployment;
  readonly targetVersion: TargetVersion;
  /** What was current before; null on a fresh app. */
  readonly previous: Deployment | null;
}

/** What the transaction takes from outside, so that a test can replay it. */
export interface PublishParts {
  readonly session: Session;
  readonly znodes: Znodes;
  readonly access: Access;
  readonly now: () => number;
  readonly newNonce: () => string;
}

/**
 * Publishes one target: check `hold`, check `quarantine`, set `deployments`, create `deployments/d-<n>`, set `config`,
 * all with the versions that were read, in one transaction. A foreign write that has no record yet gets one first. A
 * lost reply is settled by the nonce in `d-<n>`, so the caller always learns the truth.
 *
 * @param since the state the caller decided on; if `config` was written after it, nothing is published.
 * @throws FleetError CONFLICT (somebody published first, who is named), HOLD, QUARANTINED, APP_MISSING.
 */
export async function publishTarget(
  parts: PublishParts,
  since: SharedState,
  request: PublishRequest,
): Promise<Published> {
  for (let state = since; ; state = await readFresh(parts)) {
    state = await recordForeign(parts, state);
    if (state.config.mzxid !== since.config.mzxid) throw conflict(state);
    checkHold(state.hold.data, parts.now());
    checkQuarantine(state.quarantine.data, request.target.commitId);
    const published = await attempt(parts, state, request);
    if (published) return published;
  }
}

/** Gives a foreign write of `config` that has no record yet its own, and returns the state after it. */
export async function recordForeign(parts: PublishParts, since: SharedState): Promise<SharedState> {
  let state = since;
  while (state.config.data.length > 0 && !isRecorded(state)) {
    await adopt(parts, state);
    state = await readFresh(parts);
  }
  return state;
}

/** One try; null when a version had moved on and the state is to be read again. */
async function attempt(parts: PublishParts, state: SharedState, request: PublishRequest): Promise<Published | null> {
  const number = state.deployments.last + 1;
  const record = deployment.parse({
    number,
    target: { url: request.target.url, commitId: request.target.commitId, relativePath: request.target.relativePath },
    author: clean(request.author, 200),
    reason: clean(request.reason, 500),
    via: request.via,
    ref: request.ref ?? null,
    nonce: parts.newNonce(),
    previous: state.lastRecord?.number ?? null,
    returnsTo: request.returnsTo ?? null,
    at: parts.now(),
  });
  const config = encodeTarget({ ...request.target, gitfleet: { ...request.target.gitfleet, deployment: number } });
  const operations: Operation[] = [
    { op: 'check', path: parts.znodes.hold, version: state.hold.version },
    { op: 'check', path: parts.znodes.quarantine, version: state.quarantine.version },
    ...numbering(parts, state, record),
    { op: 'set', path: parts.znodes.config, data: config, version: state.config.version },
  ];
  const written = await commit(parts, operations, record);
  return written && { record, targetVersion: targetVersionOf(written), previous: state.lastRecord };
}

/**
 * Gives a foreign write of `config` its record: check `config`, set `deployments`, create `d-<n>` whose `adopts` names
 * that targetVersion. Nothing when the value cannot be read as a target: agents refuse it too.
 */
async function adopt(parts: PublishParts, state: SharedState): Promise<void> {
  const judged = parseTarget(state.config.data, ANY_URL);
  const foreign = judged.ok
    ? judged.target
    : { url: '(unreadable)', commitId: '(unreadable)', relativePath: '(unreadable)' };
  const record = deployment.parse({
    number: state.deployments.last + 1,
    target: { url: foreign.url, commitId: foreign.commitId, relativePath: foreign.relativePath },
    author: 'foreign writer',
    reason: judged.ok ? 'config was set by another ZooKeeper client' : `refused: ${judged.failure.code}`,
    via: 'adopted',
    nonce: parts.newNonce(),
    previous: state.lastRecord?.number ?? null,
    adopts: state.config.targetVersion,
    at: parts.now(),
  });
  await commit(
    parts,
    [{ op: 'check', path: parts.znodes.config, version: state.config.version }, ...numbering(parts, state, record)],
    record,
  );
}

function numbering({ znodes, access }: PublishParts, state: SharedState, record: Deployment): Operation[] {
  const number = Buffer.from(String(record.number));
  const data = toJson(deployment, record);
  const acl = access.of('deployment');
  return [
    { op: 'set', path: znodes.deployments, data: number, version: state.deployments.version },
    { op: 'create', path: znodes.deployment(record.number), data, mode: 'persistent', acl },
  ];
}

/** When and as which transaction it happened; null: a version had moved on and nothing happened. */
type Written = { mzxid: bigint; mtime: number };

async function commit(parts: PublishParts, operations: Operation[], record: Deployment): Promise<Written | null> {
  try {
    await parts.session.transact(operations);
  } catch (error) {
    if (isCode(error, 'BAD_VERSION', 'NODE_EXISTS')) return null;
    if (!(error instanceof ZooKeeperError) || error.outcome !== 'unknown') throw error;
    // The reply was lost. After a quorum write on this session a read sees our record if the transaction took place.
    await parts.session.barrier(parts.znodes.config);
  }
  const found = await parts.session.get(parts.znodes.deployment(record.number));
  if (!found || parseDeployment(found.data)?.nonce !== record.nonce) return null;
  // One transaction has one zxid and one time, so the record's birth is config's last write.
  return { mzxid: found.stat.czxid, mtime: found.stat.ctime };
}

async function readFresh(parts: PublishParts): Promise<SharedState> {
  await parts.session.barrier(parts.znodes.config);
  return await readSharedState(parts.session, parts.znodes);
}

function conflict(state: SharedState): FleetError {
  const winner = state.lastRecord;
  const who =
    winner && isRecorded(state)
      ? `${winner.author} published ${winner.target.commitId.slice(0, 12)} as ${deploymentName(winner.number)} first`
      : 'another ZooKeeper client set the config first';
  return new FleetError({
    code: 'CONFLICT',
    reason: `${who}; nothing of yours was written`,
    hint: 'look at it (gitfleet status), then publish again if yours should follow',
    next: 'stall',
  });
}
