import type { AgentView } from '../fleet/fleet-view.ts';
import { FleetError } from '../runtime/errors.ts';
import { visible } from '../runtime/safe-text.ts';
import { isCommitId } from '../schemas/commit-id.ts';
import type { Rollout } from '../schemas/rollout.ts';
import type { CommitId } from '../schemas/values.ts';

/** One commit at one place, with the online agents that show it. */
export interface ShownTarget {
  readonly commitId: CommitId;
  readonly relativePath: string;
  readonly agents: readonly string[];
}

/**
 * Pure: what the online agents show, by their reports, most common first. `publish --again` publishes it after
 * ZooKeeper was set back or wiped and its content is no longer reliable.
 */
export function shownTargets(fleet: readonly AgentView[]): ShownTarget[] {
  const found = new Map<string, ShownTarget>();
  for (const { agentId, presence, report } of fleet) {
    if (!presence || !report?.activeCommit || !report.relativePath || !isCommitId(report.activeCommit)) continue;
    const { activeCommit: commitId, relativePath } = report;
    const key = `${commitId} ${relativePath}`;
    found.set(key, { commitId, relativePath, agents: [...(found.get(key)?.agents ?? []), agentId] });
  }
  return [...found.values()].toSorted((a, b) => b.agents.length - a.agents.length);
}

/** The one that most agents show. @throws FleetError NOTHING_SHOWN; SHOWN_DIFFERS if the two most common are tied. */
export function mostShown(fleet: readonly AgentView[]): ShownTarget {
  const [first, second] = shownTargets(fleet);
  if (!first) throw FleetError.of('NOTHING_SHOWN', 'no online agent reports that it shows a commit');
  if (second && second.agents.length === first.agents.length) {
    const each = [first, second].map(
      ({ commitId, agents }) => `${commitId.slice(0, 10)} (${visible(agents[0] ?? '')})`,
    );
    throw FleetError.of('SHOWN_DIFFERS', `as many agents show ${each.join(' as ')}`);
  }
  return first;
}

/**
 * Whether agents refuse the target in config as older than what they accepted, or the coordinator halted because of it.
 */
export const wasSetBack = (fleet: readonly AgentView[], targetVersion: string, rollout: Rollout | null): boolean =>
  (rollout?.state === 'halted' && rollout.setBack) ||
  fleet.some(({ report }) => report?.targetVersion === targetVersion && report.error?.code === 'TARGET_WENT_BACK');
