import { targetVersionOf, wasBefore } from '../schemas/target-version.ts';
import type { TargetVersion } from '../schemas/values.ts';
import type { Session } from '../zookeeper/session.ts';

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
}

/**
 * @param incarnation of the ensemble, as the session counts it: it grows whenever the ensemble lost what it had.
 * @param accepted what the agent of this process accepted last. It outlives the process, which the session does not.
 */
export function createSetBackWatch(incarnation: () => number, accepted: () => string | null): SetBackWatch {
  let known = incarnation();
  let suspect: TargetVersion | null = null;
  return {
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
