import type { Clock, Random } from '../../runtime/clock.ts';
import { FleetError } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/log.ts';
import { type AllowList, parseTarget, targetVersionOf } from '../../schemas/target.ts';
import { followNode } from '../../zookeeper/recipes/follow-node.ts';
import type { Session, Snapshot } from '../../zookeeper/session.ts';
import type { Journal } from '../state/journal.ts';
import { nothingHeard, type TargetHeard } from '../state/wanted.ts';

interface TargetFeedParts {
  readonly session: Session;
  readonly path: string;
  readonly resyncMs: number;
  readonly policy: () => AllowList;
  readonly accepted: () => Journal['accepted'];
  readonly log: Logger;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * The newest target as an endless stream: every change of `config`, judged. Ends only with `signal`: a failure on the way
 * is logged and the read is tried again.
 */
export async function* followTarget(parts: TargetFeedParts, signal: AbortSignal): AsyncGenerator<TargetHeard> {
  const { path, log } = parts;
  let told = false;
  const read = (snapshot: Snapshot): Promise<TargetHeard> => {
    if (!told) log.info({ path, empty: !hasContent(snapshot) }, `watching ${path}`);
    told = true;
    return judge(parts, snapshot);
  };
  yield* followNode({ ...parts, failing: 'cannot read the target, retrying' }, read, signal);
}

async function judge(parts: TargetFeedParts, seen: Snapshot): Promise<TargetHeard> {
  const snapshot = await withoutLag(parts, seen);
  if (!snapshot.exists) return nothingHeard(`${parts.path} to exist (gitfleet init)`);
  if (snapshot.data.length === 0) return nothingHeard(`a first target in ${parts.path}`);
  const { stat } = snapshot;
  const write = { mzxid: stat.mzxid, mtime: stat.mtime };
  const targetVersion = targetVersionOf(stat);
  const judged = parseTarget(snapshot.data, parts.policy());
  if (!judged.ok) return { write, wanted: { kind: 'refused', targetVersion, failure: judged.failure } };
  const accepted = parts.accepted();
  if (accepted && wentBack(accepted, stat.mzxid)) {
    if (stat.mtime <= accepted.mtime)
      return { write, wanted: { kind: 'refused', targetVersion, failure: wentBackFailure() } };
    parts.log.warn({ targetVersion, accepted: accepted.targetVersion }, 'ZooKeeper was set back; its target is newer');
  }
  return { write, wanted: { kind: 'target', targetVersion, target: judged.target } };
}

/** A follower may lag: before a target counts as gone back, a quorum write and a second look. */
async function withoutLag(parts: TargetFeedParts, seen: Snapshot): Promise<Snapshot> {
  const accepted = parts.accepted();
  if (!seen.exists || !accepted || !wentBack(accepted, seen.stat.mzxid)) return seen;
  await parts.session.catchUp(parts.path);
  const again = await parts.session.get(parts.path);
  return again ? { exists: true, ...again } : { exists: false };
}

const wentBack = (accepted: NonNullable<Journal['accepted']>, mzxid: bigint): boolean => mzxid < BigInt(accepted.mzxid);

const wentBackFailure = () =>
  FleetError.of(
    'TARGET_WENT_BACK',
    'config is older than the target that this agent accepted last: ZooKeeper lost writes or was restored',
  ).toFailure();

const hasContent = (snapshot: Snapshot): boolean => snapshot.exists && snapshot.data.length > 0;
