import type { Published, PublishParts, PublishRequest } from '../../fleet/publish-transaction.ts';
import { appOutdated, isPublished, readSharedState, type SharedState } from '../../fleet/shared-state.ts';
import { FleetError } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/log.ts';
import { isSameTarget, type Target } from '../../schemas/target.ts';
import type { CommitId, RelativePath, RepositoryUrl } from '../../schemas/values.ts';
import { isCode } from '../../zookeeper/errors.ts';

/**
 * One look at the origin. The state of the fleet is read first, then the branch, and what is published counts only if
 * nothing else was published in between. The tip is noted in `serve/seen/<installation>` in the same transaction, and
 * only another tip is published again. So neither a replay nor a restart undoes a rollback, a hold or a quarantine.
 */
export interface LookParts {
  readonly installation: {
    readonly name: string;
    readonly url: RepositoryUrl;
    readonly branch: string;
    readonly relativePath: RelativePath;
  };
  readonly publishing: PublishParts;
  /** The commit to be shown; null: none yet, because its checks have not passed. */
  readonly readTip: (at: TipAsked) => Promise<CommitId | null>;
  /** Judges what would be published, signs it and publishes it. */
  readonly publish: (since: SharedState, target: Target, more: PublishMore) => Promise<Published>;
  readonly log: Logger;
}

/** What is known before the branch is asked for. */
export interface TipAsked {
  readonly seen: string;
  readonly config: SharedState['config'];
}

export type PublishMore = Required<Pick<PublishRequest, 'ref' | 'via' | 'reason' | 'together' | 'beforeRepeat'>>;

/** `note`: only remember the tip. `nothing`: it was seen before. */
export type LookDecision = 'publish' | 'note' | 'nothing';

/**
 * Pure. A new installation of an app that shows something notes the tip and changes nothing: what is deployed may be a
 * rollback from that very tip.
 */
export function decideLook(seen: string, tip: CommitId, target: Target, { config }: Pick<SharedState, 'config'>) {
  if (seen === tip) return 'nothing' satisfies LookDecision;
  const isThere = config.target !== null && isSameTarget(config.target, target);
  const isFirst = seen === '' && isPublished(config);
  return (isThere || isFirst ? 'note' : 'publish') satisfies LookDecision;
}

/** @throws FleetError CONFLICT, HOLD, QUARANTINED and what publishing throws; git's failures. */
export async function lookAtBranch(parts: LookParts): Promise<LookDecision> {
  const { installation, publishing } = parts;
  const { session, znodes } = publishing;
  const since = await readSharedState(session, znodes);
  const seen = await readSeen(parts);
  const tip = await parts.readTip({ seen: seen.data.toString('utf8'), config: since.config });
  if (tip === null) return 'nothing';
  const ref = `refs/heads/${installation.branch}`;
  const { url, relativePath, name } = installation;
  const target: Target = { url, commitId: tip, relativePath, gitfleet: { ref } };
  const decision = decideLook(seen.data.toString('utf8'), tip, target, since);
  const path = znodes.serveSeenBy(name);
  const note = { op: 'set', path, data: Buffer.from(tip), version: seen.stat.version } as const;
  if (decision === 'note') await session.set(path, note.data, note.version);
  if (decision === 'publish') {
    const reason = `${installation.branch} moved on its forge`;
    const beforeRepeat = () => checkSeen(parts, seen.stat.version);
    const more: PublishMore = { ref, via: 'hook', reason, together: [note], beforeRepeat };
    const { record } = await parts.publish(since, target, more);
    parts.log.info({ installation: name, deployment: record.number, commitId: tip }, 'published');
  }
  return decision;
}

/** Ends the try if another receiver noted a tip in between; the next look reads it. @throws FleetError CONFLICT */
export async function checkSeen(parts: Pick<LookParts, 'installation' | 'publishing'>, version: number): Promise<void> {
  const path = parts.publishing.znodes.serveSeenBy(parts.installation.name);
  const now = await parts.publishing.session.get(path);
  if (now?.stat.version === version) return;
  throw FleetError.of('CONFLICT', `another receiver changed ${path}`, 'the next look decides again');
}

async function readSeen({ installation: { name }, publishing: { session, znodes, access } }: LookParts) {
  const path = znodes.serveSeenBy(name);
  const found = await session.get(path);
  if (found) return found;
  try {
    await session.create(path, Buffer.alloc(0), 'persistent', { acl: access.of('serveSeenBy') });
  } catch (error) {
    if (isCode(error, 'NO_NODE')) throw appOutdated(znodes.app, znodes.serveSeen);
    if (!isCode(error, 'NODE_EXISTS')) throw error;
  }
  const made = await session.get(path);
  if (made) return made;
  throw appOutdated(znodes.app, znodes.serveSeen);
}
