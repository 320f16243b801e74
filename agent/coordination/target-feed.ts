import type { Clock, Random } from '../../runtime/clock.ts';
import { FleetError } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/log.ts';
import { type Target, targetVersionOf, wasBefore } from '../../schemas/target.ts';
import type { Znodes } from '../../schemas/znodes.ts';
import { followNode } from '../../zookeeper/recipes/follow-node.ts';
import type { NodeStat, Session, Snapshot } from '../../zookeeper/session.ts';
import type { Door } from '../door/door.ts';
import type { Journal } from '../state/journal.ts';
import { nothingHeard, type TargetHeard } from '../state/wanted.ts';

interface TargetFeedParts {
  readonly session: Session;
  readonly znodes: Pick<Znodes, 'config' | 'deployment'>;
  readonly resyncMs: number;
  readonly door: Door;
  readonly accepted: () => Journal['accepted'];
  readonly log: Logger;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * The newest target as an endless stream: every change of `config`, judged. Ends only with `signal`: a failure is
 * logged and the read is retried.
 *
 * If ZooKeeper lost writes or was restored, config may be older than what this agent last accepted. It is then refused
 * until a person acts. A write with a later time counts as a person's act, also through another ZooKeeper client. An
 * automatic rollback does not count, unless the target that it takes back did.
 */
export async function* followTarget(parts: TargetFeedParts, signal: AbortSignal): AsyncGenerator<TargetHeard> {
  const { znodes, log } = parts;
  let told = false;
  const read = (snapshot: Snapshot): Promise<TargetHeard> => {
    if (!told) log.info({ path: znodes.config, empty: !hasContent(snapshot) }, `watching ${znodes.config}`);
    told = true;
    return judge(parts, snapshot);
  };
  const node = { ...parts, path: znodes.config, failing: 'cannot read the target, retrying' };
  yield* followNode(node, read, signal);
}

async function judge(parts: TargetFeedParts, seen: Snapshot): Promise<TargetHeard> {
  const { znodes } = parts;
  const snapshot = await withoutLag(parts, seen);
  if (!snapshot.exists) return nothingHeard(`${znodes.config} to exist (gitfleet init)`);
  if (snapshot.data.length === 0) return nothingHeard(`a first target in ${znodes.config}`);
  const { stat } = snapshot;
  const write = { mzxid: stat.mzxid, mtime: stat.mtime };
  const targetVersion = targetVersionOf(stat);
  const judged = await parts.door.judge(snapshot.data);
  if (!judged.ok) return { write, wanted: { kind: 'refused', targetVersion, failure: judged.failure } };
  const why = await whyWentBack(parts, judged.target, stat);
  if (why !== null) {
    const failure = FleetError.of('TARGET_WENT_BACK', `${why}: ZooKeeper lost writes or was restored`).toFailure();
    return { write, wanted: { kind: 'refused', targetVersion, failure } };
  }
  const accepted = parts.accepted();
  if (isEarlier(accepted, stat.mzxid))
    parts.log.warn({ targetVersion, accepted: accepted?.targetVersion }, 'ZooKeeper was set back; its target is newer');
  return { write, wanted: { kind: 'target', targetVersion, target: judged.target } };
}

/** Null: the target is current. */
async function whyWentBack(parts: TargetFeedParts, target: Target, stat: NodeStat): Promise<string | null> {
  const accepted = parts.accepted()?.targetVersion;
  const targetVersion = targetVersionOf(stat);
  if (accepted === undefined || accepted === targetVersion) return null;
  if (wasBefore(targetVersion, accepted)) return 'config is older than the target that this agent accepted last';
  const { takesBack, deployment } = target.gitfleet ?? {};
  if (takesBack === undefined || !wasBefore(takesBack, accepted)) return null;
  if (!(await isOfRecord(parts, deployment, stat))) return null;
  return 'config goes back automatically from a target older than the one that this agent accepted last';
}

/** Whether our own transaction wrote config: another ZooKeeper client may have copied the content of an old one. */
async function isOfRecord(
  { session, znodes }: TargetFeedParts,
  deployment: number | undefined,
  { mzxid }: NodeStat,
): Promise<boolean> {
  const record = deployment === undefined ? null : await session.exists(znodes.deployment(deployment));
  return record?.czxid === mzxid;
}

/** A follower may lag: before a target counts as gone back, make a quorum write and read again. */
async function withoutLag({ accepted, session, znodes }: TargetFeedParts, seen: Snapshot): Promise<Snapshot> {
  if (!seen.exists || !isEarlier(accepted(), seen.stat.mzxid)) return seen;
  await session.catchUp(znodes.config);
  const again = await session.get(znodes.config);
  return again ? { exists: true, ...again } : { exists: false };
}

const isEarlier = (accepted: Journal['accepted'], mzxid: bigint): boolean =>
  accepted !== null && mzxid < BigInt(accepted.mzxid);

const hasContent = (snapshot: Snapshot): boolean => snapshot.exists && snapshot.data.length > 0;
