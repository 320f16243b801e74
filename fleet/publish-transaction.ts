import { FleetError } from '../runtime/errors.ts';
import { clean } from '../runtime/safe-text.ts';
import {
  type Deployment,
  deployment,
  deploymentName,
  encodeDeployment,
  parseDeployment,
  UNREADABLE,
} from '../schemas/deployment.ts';
import { inForce } from '../schemas/hold.ts';
import { chainTo } from '../schemas/records/chain.ts';
import { encodeTarget, type Target, targetVersionOf } from '../schemas/target.ts';
import type { CommitId, TargetVersion } from '../schemas/values.ts';
import type { Znodes } from '../schemas/znodes.ts';
import { isCode, ZooKeeperError } from '../zookeeper/errors.ts';
import type { NodeStat, Operation, OperationResult, Session } from '../zookeeper/session.ts';
import type { Access } from './access.ts';
import { checkHold, checkQuarantine, quarantinedIn } from './admission.ts';
import { holdTime, timeOrOwn } from './hold-time.ts';
import { quarantineAfter } from './quarantine-list.ts';
import { checkCounter, isPublished, readSharedState, type SharedState } from './shared-state.ts';
import { createTries, type Tries } from './tries.ts';

export interface PublishRequest {
  readonly target: Target;
  readonly by: string;
  readonly reason: string;
  readonly via: 'publish' | 'rollback' | 'hook';
  readonly ref?: string | null;
  readonly returnsTo?: number | null;
  /** Of an automatic rollback: the write of config that it takes back. A person's publish takes none over. */
  readonly takesBack?: TargetVersion;
  /** Where the target's commit, or one that it contains, is in quarantine, lift that in the same transaction; `reason` says why. */
  readonly force?: boolean;
  /** Which of these commits the target's contains, as far as the publisher can tell. Without it: none. */
  readonly contains?: (commitIds: readonly CommitId[]) => Promise<readonly CommitId[]>;
  /** A commit that goes into quarantine in the same transaction, and why: what a rollback leaves. */
  readonly quarantines?: { readonly commitId: CommitId; readonly reason: string } | null;
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
  /** Called with the deployment's number before it is sent; what it throws stops it, and nothing is written. */
  readonly beforeWrite?: (deployment: number) => void;
  /** How long a lost reply is looked for, ms; default 30 s. */
  readonly settleMs?: number;
  /** How long the whole may take, all tries together, ms; default 45 s. */
  readonly wholeMs?: number;
}

/** As long as a command waits for a quorum (docs/design.md, section 7). */
const SETTLE_MS = 30_000;

/**
 * Publishes one target: check `hold`, check `quarantine`, set `deployments`, create `deployments/d-<n>`, set `config`,
 * all with the versions that were read, in one transaction. A foreign write that has no record yet gets one first. A
 * lost reply is settled by the nonce in `d-<n>`, so the caller learns the truth, or that it could not be found out.
 *
 * @param since the state the caller decided on; if `config` was written after it, nothing is published.
 * @throws FleetError CONFLICT (somebody published first, who is named), HOLD, QUARANTINED, APP_MISSING,
 *   DEPLOYMENTS_BEHIND, PUBLISH_UNKNOWN, PUBLISH_STUCK.
 */
export async function publishTarget(
  parts: PublishParts,
  since: SharedState,
  request: PublishRequest,
): Promise<Published> {
  const tries = createTries(parts.wholeMs);
  for (let state = since; ; state = await readFresh(parts)) {
    state = await recordForeign(parts, state, tries);
    if (state.config.mzxid !== since.config.mzxid) throw conflict(state);
    // The list of quarantined commits keeps the time of each: it has no stat to tell it.
    const now = request.quarantines ? await timeOrOwn(parts) : await holdTime(parts, state.hold);
    // Going back is never held: who stopped publishing did not mean to keep what is broken.
    if (request.via !== 'rollback') checkHold(state.hold, now);
    const contained = await containedIn(state, request);
    if (!request.force) checkQuarantine(state.quarantine, request.target.commitId, contained);
    const published = await publishOnce({ ...parts, now: () => now }, state, { ...request, contained }, [], tries);
    if (published) return published;
  }
}

/** Asked only where something is in quarantine, beside the commit itself. */
async function containedIn({ quarantine }: SharedState, { contains, target }: PublishRequest): Promise<CommitIds> {
  const others = quarantine.value.map((each) => each.commitId).filter((id) => id !== target.commitId);
  return contains && others.length > 0 ? await contains(others) : [];
}

type CommitIds = readonly CommitId[];

/** Gives a foreign write of `config` that has no record yet its own, and returns the state after it. */
export async function recordForeign(
  parts: PublishParts,
  since: SharedState,
  tries: Tries = createTries(parts.wholeMs),
): Promise<SharedState> {
  let state = since;
  while (isPublished(state.config) && !state.current) {
    await adopt(parts, state, tries);
    state = await readFresh(parts);
  }
  return state;
}

/**
 * One try; null when nothing was written because a version had moved on.
 * @param first what else the same transaction checks and writes: all of it, or nothing is published.
 */
export async function publishOnce(
  parts: PublishParts,
  state: SharedState,
  request: PublishRequest & { readonly contained?: CommitIds },
  first: readonly Operation[] = [],
  tries: Tries = createTries(parts.wholeMs),
): Promise<Published | null> {
  checkCounter(state.deployments);
  const number = state.deployments.last + 1;
  const quarantine = quarantineAfter(quarantinedIn(state.quarantine), request, parts.now());
  const record = deployment.parse({
    number,
    target: { url: request.target.url, commitId: request.target.commitId, relativePath: request.target.relativePath },
    by: clean(request.by, 200),
    reason: clean(request.reason, 500),
    via: request.via,
    ref: request.ref ?? null,
    nonce: parts.newNonce(),
    previous: state.lastRecord?.number ?? null,
    returnsTo: request.returnsTo ?? null,
    underHold: inForce(state.hold.value, parts.now()),
    lifted: quarantine.lifted && {
      by: quarantine.lifted.by,
      reason: quarantine.lifted.reason,
      at: quarantine.lifted.at,
    },
    quarantined: quarantine.added?.commitId ?? null,
    chain: chainTo(state.deployments.before),
    at: parts.now(),
  });
  const { target, takesBack } = request;
  const config = encodeTarget({ ...target, gitfleet: { ...target.gitfleet, takesBack, deployment: number } });
  const operations: Operation[] = [
    ...first,
    { op: 'check', path: parts.znodes.hold, version: state.hold.version },
    quarantine.data === null
      ? { op: 'check', path: parts.znodes.quarantine, version: state.quarantine.version }
      : { op: 'set', path: parts.znodes.quarantine, data: quarantine.data, version: state.quarantine.version },
    ...numbering(parts, state, record),
    { op: 'set', path: parts.znodes.config, data: config, version: state.config.version },
  ];
  parts.beforeWrite?.(number);
  const written = await write(parts, operations, record, tries);
  return (
    written && {
      record: { ...record, at: written.mtime },
      targetVersion: targetVersionOf(written),
      previous: state.lastRecord,
    }
  );
}

/** When and as which transaction `config` was written; null: nothing happened. */
type Written = Pick<NodeStat, 'mzxid' | 'mtime'>;

async function write(
  parts: PublishParts,
  operations: Operation[],
  record: Deployment,
  tries: Tries,
): Promise<Written | null> {
  try {
    const committed = await commit(parts, operations, record);
    if (committed === null) tries.moved();
    // The last operation sets config.
    return committed?.at(-1)?.stat ?? null;
  } catch (error) {
    if (!(error instanceof ZooKeeperError) || error.outcome !== 'unknown') throw error;
    const found = await settle(parts, record, error, tries);
    // The server itself failed: only a lost line is worth another try at once.
    if (!found && !isLostReply(error)) throw error;
    if (!found) tries.lost(error);
    return found;
  }
}

/**
 * The reply was lost: after a quorum write on this session a read sees our record if the transaction took place.
 * @throws FleetError PUBLISH_UNKNOWN
 */
async function settle(
  parts: PublishParts,
  record: Deployment,
  lost: ZooKeeperError,
  tries: Tries,
): Promise<Written | null> {
  const patience = { deadlineMs: Math.max(1_000, Math.min(parts.settleMs ?? SETTLE_MS, tries.leftMs())) };
  try {
    await parts.session.catchUp(parts.znodes.config, patience);
    const found = await parts.session.get(parts.znodes.deployment(record.number), patience);
    if (!found || parseDeployment(found.data)?.nonce !== record.nonce) return null;
    // One transaction has one zxid and one time, so the record's birth is config's last write.
    return { mzxid: found.stat.czxid, mtime: found.stat.ctime };
  } catch {
    const name = `${deploymentName(record.number)} ${record.target.commitId.slice(0, 12)}`;
    throw FleetError.of(
      'PUBLISH_UNKNOWN',
      `ZooKeeper went away while ${name} was being written: it may be published`,
      undefined,
      lost,
    );
  }
}

/**
 * Gives a foreign write of `config` its record: check `config`, set `deployments`, create `d-<n>` whose `adopts` names
 * that targetVersion. Nothing when the value cannot be read as a target: agents refuse it too.
 */
async function adopt(parts: PublishParts, state: SharedState, tries: Tries): Promise<void> {
  checkCounter(state.deployments);
  const { target, refused } = state.config;
  const foreign = target ?? { url: UNREADABLE, commitId: UNREADABLE, relativePath: UNREADABLE };
  const record = deployment.parse({
    number: state.deployments.last + 1,
    target: { url: foreign.url, commitId: foreign.commitId, relativePath: foreign.relativePath },
    by: 'foreign writer',
    reason: refused ? `refused: ${refused.code}` : 'config was set by another ZooKeeper client',
    via: 'adopted',
    nonce: parts.newNonce(),
    previous: state.lastRecord?.number ?? null,
    adopts: state.config.targetVersion,
    chain: chainTo(state.deployments.before),
    at: parts.now(),
  });
  const operations: Operation[] = [
    { op: 'check', path: parts.znodes.config, version: state.config.version },
    ...numbering(parts, state, record),
  ];
  try {
    if ((await commit(parts, operations, record)) === null) tries.moved();
  } catch (error) {
    // The caller reads again and sees whether it took place.
    if (!isLostReply(error)) throw error;
    tries.lost(error);
  }
}

function numbering({ znodes, access }: PublishParts, state: SharedState, record: Deployment): Operation[] {
  const number = Buffer.from(String(record.number));
  const data = encodeDeployment(record);
  const acl = access.of('deployment');
  return [
    { op: 'set', path: znodes.deployments, data: number, version: state.deployments.version },
    { op: 'create', path: znodes.deployment(record.number), data, mode: 'persistent', acl },
  ];
}

/** Null: somebody else was faster and a version had moved on. */
async function commit(
  { session, znodes }: PublishParts,
  operations: Operation[],
  { number }: Deployment,
): Promise<OperationResult[] | null> {
  try {
    return await session.transact(operations);
  } catch (error) {
    if (isCode(error, 'BAD_VERSION')) return null;
    // `deployments` was set before it, with the version that was read: no client was faster, the number is wrong.
    if (isCode(error, 'NODE_EXISTS') && error.path === znodes.deployment(number)) throw behind(number);
    throw error;
  }
}

const isLostReply = (error: unknown): boolean =>
  isCode(error, 'CONNECTION_LOSS', 'DEADLINE') && error.outcome === 'unknown';

const behind = (number: number): FleetError =>
  FleetError.of(
    'DEPLOYMENTS_BEHIND',
    `the deployments znode says ${number - 1}, but ${deploymentName(number)} is there already; nothing was written`,
  );

async function readFresh(parts: PublishParts): Promise<SharedState> {
  await parts.session.catchUp(parts.znodes.config);
  return await readSharedState(parts.session, parts.znodes);
}

function conflict(state: SharedState): FleetError {
  const winner = state.current;
  const who = winner
    ? `${winner.by} published ${winner.target.commitId.slice(0, 12)} as ${deploymentName(winner.number)} first`
    : 'another ZooKeeper client set the config first';
  return FleetError.of(
    'CONFLICT',
    `${who}; nothing of yours was written`,
    'look at it (gitfleet status), then publish again if yours should follow',
  );
}
