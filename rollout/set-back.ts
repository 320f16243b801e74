import { parseRollout } from '../schemas/rollout.ts';
import { targetVersionOf, wasBefore } from '../schemas/target-version.ts';
import type { TargetVersion } from '../schemas/values.ts';
import { type FollowOptions, followNode } from '../zookeeper/recipes/follow-node.ts';
import type { NodeData, Session } from '../zookeeper/session.ts';

/** One state of the rollout record. */
export interface RolloutSeen {
  readonly targetVersion: TargetVersion;
  readonly mzxid: bigint;
}

/** Knows, across the terms of one process, a target that dates from before a loss of writes. */
export interface SetBackWatch {
  /** Whether the ensemble lost writes since the last look. */
  readonly isNews: boolean;
  /**
   * @param targetVersion that of config; null: there is no config.
   * @returns whether the first look at an ensemble that had lost writes found this target, or it is older than the one
   * that the agent of this process accepted.
   */
  look(targetVersion: TargetVersion | null): boolean;
  /** The newest noted state of the rollout. */
  readonly newest: RolloutSeen | null;
  /**
   * Notes a state of the rollout. A state of the same target that is older than `before` dates from before a loss:
   * config may be unchanged, but what a person said about the rollout is gone. ZooKeeper shows that to a client only
   * until another client has brought the ensemble past the last write that this client saw.
   * @param before a state that was known when `now` was requested: of two concurrent reads, either may end first.
   */
  note(before: RolloutSeen | null, now: RolloutSeen): void;
}

/**
 * @param incarnation of the ensemble, as the session counts it: it grows whenever the ensemble lost data.
 * @param accepted what the agent of this process last accepted. Unlike the session, it outlives the process.
 */
export function createSetBackWatch(incarnation: () => number, accepted: () => string | null): SetBackWatch {
  let known = incarnation();
  let suspect: TargetVersion | null = null;
  let newest: RolloutSeen | null = null;
  return {
    get newest() {
      return newest;
    },
    note(before, state) {
      const wentBack = before?.targetVersion === state.targetVersion && state.mzxid < before.mzxid;
      if (wentBack) suspect = state.targetVersion;
      const isNewer = newest?.targetVersion !== state.targetVersion || state.mzxid > newest.mzxid;
      if (wentBack || isNewer) newest = state;
    },
    get isNews() {
      return incarnation() !== known;
    },
    look(targetVersion) {
      const now = incarnation();
      if (now !== known) suspect = targetVersion;
      known = now;
      // Anything written after that look is newer than the loss.
      if (suspect !== targetVersion) suspect = null;
      return suspect !== null || isOlder(targetVersion, accepted());
    },
  };
}

const isOlder = (targetVersion: TargetVersion | null, accepted: string | null): boolean =>
  targetVersion !== null && accepted !== null && wasBefore(targetVersion, accepted);

/** Notes each state of the rollout, leading or not, so that every candidate knows what people said. Never throws. */
export async function noteRollouts(
  following: FollowOptions,
  watch: Pick<SetBackWatch, 'note'>,
  onChange: () => void,
  signal: AbortSignal,
): Promise<void> {
  let before: RolloutSeen | null = null;
  const states = followNode(following, (node) => (node.exists ? stateOf(node) : null), signal);
  for await (const state of states) {
    if (state) watch.note(before, state);
    before = state ?? before;
    onChange();
  }
}

/** Null: the record cannot be read. */
function stateOf({ data, stat }: Pick<NodeData, 'data' | 'stat'>): RolloutSeen | null {
  const { targetVersion } = parseRollout(data) ?? {};
  return targetVersion === undefined ? null : { targetVersion, mzxid: stat.mzxid };
}

/**
 * Looks as soon as the ensemble is back, leading or not: a candidate that first looks when it leads would suspect a
 * target that was published after the loss. A look that fails is repeated at the next connection.
 * @returns a function that ends it.
 */
export function lookAfterLosses(
  session: Pick<Session, 'onState' | 'get'>,
  config: string,
  watch: SetBackWatch,
): () => void {
  return session.onState((state) => {
    if (state !== 'connected' || !watch.isNews) return;
    session.get(config).then(
      (node) => watch.look(node && targetVersionOf(node.stat)),
      () => {},
    );
  });
}
