import { checkHold, checkQuarantine } from '../fleet/admission.ts';
import type { AgentView } from '../fleet/fleet-view.ts';
import { isUnrecorded } from '../fleet/record-deployment.ts';
import { checkCounter, type SharedState } from '../fleet/shared-state.ts';
import { classify, type Failure } from '../runtime/errors.ts';
import { deploymentName } from '../schemas/deployment.ts';
import type { Policy } from '../schemas/policy.ts';
import { isSameTarget, type Target } from '../schemas/target.ts';
import type { CommitId } from '../schemas/values.ts';
import type { TakenBack } from './brings-back.ts';
import type { Resolved } from './resolve-target.ts';
import { presentProgress } from './verdict.ts';

/** What a publish or a rollback would do now, and what would stop it. */
export interface PublishPlan {
  readonly app: string;
  readonly resolved: Resolved;
  /** The target in config; null: nothing, or it cannot be read. */
  readonly current: Target | null;
  /** The name of the current deployment. */
  readonly currentName: string | null;
  readonly deployment: number;
  readonly changes: boolean;
  /** For a rollback: the deployment that it returns to. */
  readonly returnsTo: number | null;
  readonly blockers: readonly Failure[];
  readonly takePart: readonly AgentView[];
  readonly suspended: readonly AgentView[];
  readonly offline: readonly AgentView[];
  readonly bringsBack: readonly TakenBack[];
  /** The commits in quarantine of which no clone can tell whether the target's commit contains them. */
  readonly unknown: readonly CommitId[];
  /** How it would roll out; null: there is no policy, all agents go at once. */
  readonly policy: Policy | null;
}

interface PlanFacts {
  readonly force: boolean;
  readonly now: number;
  readonly policy?: Policy | null;
  /** The commits in quarantine that the target's commit contains. */
  readonly contained?: readonly CommitId[];
  readonly unknown?: readonly CommitId[];
  readonly bringsBack?: readonly TakenBack[];
  /** Set for the plan of a rollback: the deployment to return to. No hold stops it. */
  readonly returnsTo?: number;
}

/** Pure: judges the shared state as the publish transaction would. */
export function planPublish(
  app: string,
  state: SharedState,
  fleet: readonly AgentView[],
  resolved: Resolved,
  { force, now, policy = null, ...more }: PlanFacts,
): PublishPlan {
  const current = state.config.target;
  const { target } = resolved;
  const online = fleet.filter((view) => view.presence);
  const suspended = online.filter((view) => presentProgress(view, state.config.targetVersion) === 'suspended');
  const checks = [
    () => {
      if (more.returnsTo === undefined) checkHold(state.hold, now);
    },
    () => checkCounter(state.deployments),
    () => {
      if (!force) checkQuarantine(state.quarantine, target.commitId, more.contained);
    },
    () => {
      if (resolved.refusal) throw resolved.refusal;
    },
  ];
  return {
    ...{ app, resolved, current, suspended, policy },
    currentName: state.current && deploymentName(state.current.number),
    returnsTo: more.returnsTo ?? null,
    bringsBack: more.bringsBack ?? [],
    unknown: more.unknown ?? [],
    // A foreign write without a record gets one first.
    deployment: state.deployments.last + (isUnrecorded(state) ? 2 : 1),
    changes: current === null || !isSameTarget(current, target),
    blockers: checks.flatMap(failureOf),
    takePart: online.filter((view) => !suspended.includes(view)),
    offline: fleet.filter((view) => !view.presence),
  };
}

function failureOf(check: () => void): Failure[] {
  try {
    check();
    return [];
  } catch (error) {
    return [classify(error).toFailure()];
  }
}
