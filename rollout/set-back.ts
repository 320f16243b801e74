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

/** Knows, over the terms of one process, a target that is of before a loss of writes. */
export interface SetBackWatch {
  /** Whether the ensemble lost writes since the last look. */
  readonly isNews: boolean;
  /**
   * @param targetVersion what config holds; null: there is no config.
   * @returns whether this target was found by the first look at an ensemble that had lost writes, or is older than what
   *   the agent of this process accepted.
   */
  look(targetVersion: TargetVersion | null): boolean;
  /** The newest state of the rollout that was noted. */
  readonly newest: RolloutSeen | null;
  /**
   * Notes a state of the rollout. An earlier one of the same target than `before` is of before a loss: config may be as
   * it was, and what a person said about the rollout is gone. ZooKeeper tells that to a client only while no other one
   * has carried the ensemble past the last write that the client saw.
   * @param before a state that was known when `now` was asked for: of two reads at once either may end first.
   */
  note(before: RolloutSeen | null, now: RolloutSeen): void;
}

/**
 * @param incarnation of the ensemble, as the session counts it: it grows whenever the ensemble lost what it had.
 * @param accepted what the agent of this process accepted last. It outlives the process, which the session does not.
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
      // Whatever is written after that look is newer than the loss.
      if (suspect !== targetVersion) suspect = null;
      return suspect !== null || isOlder(targetVersion, accepted());
    },
  };
}

const isOlder = (targetVersion: TargetVersion | null, accepted: string | null): boolean =>
  targetVersion !== null && accepted !== null && wasBefore(targetVersion, accepted);

/** Notes each state of the rollout, leading or not, so that every candidate knows what was said. Never throws. */
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
 * Looks as soon as the ensemble is back, leading or not: a candidate that looks first when it leads would suspect a
 * target that was published after the loss. A look that fails is repeated when the next connection is made.
 * @returns ends it.
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
