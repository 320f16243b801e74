import { FleetError } from '../runtime/errors.ts';
import { clean } from '../runtime/safe-text.ts';
import { type Deployment, deployment, deploymentName, parseDeployment } from '../schemas/deployment.ts';
import { inForce } from '../schemas/hold.ts';
import { chainTo } from '../schemas/records/chain.ts';
import { coreOf, encodeTarget, type Target, targetVersionOf } from '../schemas/target.ts';
import type { CommitId, TargetVersion } from '../schemas/values.ts';
import { ZooKeeperError } from '../zookeeper/errors.ts';
import type { NodeStat, Operation } from '../zookeeper/session.ts';
import { checkHold, checkQuarantine, quarantinedIn } from './admission.ts';
import { holdTime, timeOrOwn } from './hold-time.ts';
import { quarantineAfter } from './quarantine-list.ts';
import {
  commitRecord,
  isLostReply,
  numbering,
  type RecordParts,
  readFresh,
  recordForeign,
} from './record-deployment.ts';
import { checkCounter, type SharedState } from './shared-state.ts';
import { createTries, type Tries } from './tries.ts';

export interface PublishRequest {
  readonly target: Target;
  readonly by: string;
  readonly reason: string;
  readonly via: 'publish' | 'rollback' | 'hook';
  readonly ref?: string | null;
  readonly returnsTo?: number | null;
  /** For an automatic rollback: the write of config that it takes back. Never set for a person's publish. */
  readonly takesBack?: TargetVersion;
  /**
   * Lift the quarantine of the target's commit, and of commits that it contains, in the same transaction; `reason` says
   * why.
   */
  readonly force?: boolean;
  /** Which of these commits the target's commit contains, as far as the publisher can tell. Default: none. */
  readonly contains?: (commitIds: readonly CommitId[]) => Promise<readonly CommitId[]>;
  /** Further operations of the same transaction, such as what a receiver of webhooks has seen. */
  readonly together?: readonly Operation[];
  /** Called before the transaction is repeated. If it throws, nothing more is written: `together` may be outdated. */
  readonly beforeRepeat?: () => Promise<void>;
  /** A commit to put into quarantine in the same transaction, with the reason: the one that a rollback leaves. */
  readonly quarantines?: { readonly commitId: CommitId; readonly reason: string } | null;
}

export interface Published {
  readonly record: Deployment;
  readonly targetVersion: TargetVersion;
  /** The deployment before; null in a new app. */
  readonly previous: Deployment | null;
}

/** What the transaction gets from outside, so that a test can replay it. */
export interface PublishParts extends RecordParts {
  /** Called with the deployment's number before the transaction is sent. If it throws, nothing is written. */
  readonly beforeWrite?: (deployment: number) => void;
  /** How long to resolve a lost reply, ms; default 30 s. */
  readonly settleMs?: number;
}

/** The time that a command waits for a quorum (docs/design.md, section 7). */
const SETTLE_MS = 30_000;

/**
 * Publishes one target in one transaction: check `hold`, check `quarantine`, set `deployments`, create
 * `deployments/d-<n>`, set `config`, all with the versions that were read. A foreign write without a record gets one
 * first. A lost reply is resolved by the nonce in `d-<n>`, so the caller learns what happened, or that it is unknown.
 *
 * @param since the state that the caller decided on; if `config` was written after it, nothing is published.
 * @throws FleetError CONFLICT (names who published first), HOLD, QUARANTINED, APP_MISSING, DEPLOYMENTS_BEHIND,
 * DEPLOYMENTS_UNREADABLE, PUBLISH_UNKNOWN, PUBLISH_STUCK.
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
    // A quarantine entry contains its time, because it has no stat of its own.
    const now = request.quarantines ? await timeOrOwn(parts) : await holdTime(parts, state.hold);
    // A hold never stops a rollback: it was not meant to keep a broken deployment.
    if (request.via !== 'rollback') checkHold(state.hold, now);
    const contained = await containedIn(state, request);
    if (!request.force) checkQuarantine(state.quarantine, request.target.commitId, contained);
    const published = await publishOnce(
      { ...parts, now: () => now },
      state,
      { ...request, contained },
      request.together,
      tries,
    );
    if (published) return published;
    await request.beforeRepeat?.();
  }
}

/** Queried only if commits other than the target's are in quarantine. */
async function containedIn({ quarantine }: SharedState, { contains, target }: PublishRequest): Promise<CommitIds> {
  const others = quarantine.value.map((each) => each.commitId).filter((id) => id !== target.commitId);
  return contains && others.length > 0 ? await contains(others) : [];
}

type CommitIds = readonly CommitId[];

/**
 * One attempt. Null: nothing was written, because a version had changed, or the connection was lost before the write.
 * @param first further operations for the beginning of the same transaction.
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
    target: coreOf(request.target),
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

/** The transaction that wrote `config`, and its time. */
type Written = Pick<NodeStat, 'mzxid' | 'mtime'>;

async function write(
  parts: PublishParts,
  operations: Operation[],
  record: Deployment,
  tries: Tries,
): Promise<Written | null> {
  try {
    const committed = await commitRecord(parts, operations, record);
    if (committed === null) tries.moved();
    // The last operation sets config.
    return committed?.at(-1)?.stat ?? null;
  } catch (error) {
    if (!(error instanceof ZooKeeperError) || error.outcome !== 'unknown') throw error;
    const found = await settle(parts, record, error, tries);
    // The server itself failed. Only a lost connection is worth an immediate retry.
    if (!found && !isLostReply(error)) throw error;
    if (!found) tries.lost(error);
    return found;
  }
}

/**
 * Resolves a lost reply: after a quorum write on this session, a read sees our record if the transaction took place.
 * @returns null if it did not.
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
    // One transaction has one zxid and one time, so the record's creation is config's write.
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
