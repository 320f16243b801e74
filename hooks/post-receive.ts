import type { Recorded } from '../fleet/history.ts';
import type { Published } from '../fleet/publish-transaction.ts';
import type { SharedState } from '../fleet/shared-state.ts';
import { classify } from '../runtime/errors.ts';
import { isSameTarget, type Target } from '../schemas/target.ts';
import type { CommitId, RelativePath, RepositoryUrl } from '../schemas/values.ts';

interface PostReceiveParts {
  readonly url: RepositoryUrl;
  readonly relativePath: RelativePath;
  readonly branch: string;
  /** Whether `publish` signs: then the same target without a signature is not published yet. */
  readonly signs: boolean;
  readonly readState: () => Promise<SharedState>;
  /** The branch's current commit; null if it was deleted meanwhile. */
  readonly readTip: () => Promise<CommitId | null>;
  /** Holds only for the state that was read. @throws FleetError CONFLICT */
  readonly publish: (since: SharedState, target: Target) => Promise<Published>;
}

/** `newest`: the number of the last deployment at that time. */
export type PostReceiveResult = { readonly newest: number } & (
  | { readonly kind: 'published'; readonly published: Published; readonly tip: CommitId }
  /** `current`: the deployment that published it; null if another ZooKeeper client did. */
  | { readonly kind: 'already'; readonly tip: CommitId; readonly current: Recorded | null }
  | { readonly kind: 'deleted' }
);

/** How often other writers may be faster: beyond that it is not a race between people. */
const MAX_CONFLICTS = 20;

/**
 * Brings config to the branch's tip. The order makes racing pushes end on the tip: read config's version, then the tip,
 * then write only if config still has that version. If another publisher wrote in between, all three are repeated. A
 * push that moved the branch after the tip was read runs this hook itself. If the tip is published already, that is
 * success.
 * @throws FleetError CONFLICT if other publishers were faster MAX_CONFLICTS times.
 */
export async function publishTip(parts: PostReceiveParts): Promise<PostReceiveResult> {
  for (let conflicts = 1; ; conflicts += 1) {
    const state = await parts.readState();
    const tip = await parts.readTip();
    const newest = state.deployments.last;
    if (tip === null) return { kind: 'deleted', newest };
    const target = targetOfTip(parts, tip);
    const { target: current } = state.config;
    const isSigned = current?.gitfleet?.signed !== undefined;
    if (current && isSameTarget(current, target) && (isSigned || !parts.signs))
      return { kind: 'already', tip, newest, current: currentOf(state) };
    try {
      const published = await parts.publish(state, target);
      return { kind: 'published', published, tip, newest: published.record.number };
    } catch (error) {
      if (classify(error).code !== 'CONFLICT' || conflicts >= MAX_CONFLICTS) throw error;
    }
  }
}

/** What is published of a branch. */
export function targetOfTip(
  { url, relativePath, branch }: Pick<PostReceiveParts, 'url' | 'relativePath' | 'branch'>,
  tip: CommitId,
): Target {
  return { url, commitId: tip, relativePath, gitfleet: { ref: `refs/heads/${branch}` } };
}

function currentOf(state: SharedState): Recorded | null {
  const { current: record, config } = state;
  return record ? { record, targetVersion: config.targetVersion } : null;
}
