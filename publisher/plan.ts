import { checkHold, checkQuarantine } from '../fleet/admission.ts';
import type { AgentView } from '../fleet/fleet-view.ts';
import { isPublished, type SharedState } from '../fleet/shared-state.ts';
import { classify, type Failure } from '../runtime/errors.ts';
import { visible } from '../runtime/safe-text.ts';
import { deploymentName } from '../schemas/deployment.ts';
import type { PlanOutput } from '../schemas/json-output.ts';
import type { Policy } from '../schemas/policy.ts';
import type { Target } from '../schemas/target.ts';
import { changeLines } from './change.ts';
import { noAgentNext, noAgentWords } from './nobody.ts';
import type { Resolved } from './resolve-target.ts';
import { line } from './screens/columns.ts';
import { placeLines } from './screens/place-lines.ts';
import { waveLines, wavesNow } from './screens/policy-lines.ts';
import type { Screen } from './screens/theme.ts';
import { age, count, names, short } from './screens/words.ts';
import { presentProgress } from './verdict.ts';

/** What a publish would do now, and what would stop it. */
interface Plan {
  readonly app: string;
  readonly resolved: Resolved;
  /** What config holds; null: nothing, or nothing that can be read. */
  readonly current: Target | null;
  /** How the current one is called. */
  readonly currentName: string | null;
  readonly deployment: number;
  readonly changes: boolean;
  readonly blockers: readonly Failure[];
  readonly takePart: readonly AgentView[];
  readonly suspended: readonly AgentView[];
  readonly offline: readonly AgentView[];
  /** How it would roll out; null: there is no policy, all agents go at once. */
  readonly policy: Policy | null;
}

/** Pure: judges what was read as the publish transaction would. */
export function planPublish(
  app: string,
  state: SharedState,
  fleet: readonly AgentView[],
  resolved: Resolved,
  { force, now, policy = null }: { readonly force: boolean; readonly now: number; readonly policy?: Policy | null },
): Plan {
  const current = state.config.target;
  const { target } = resolved;
  const online = fleet.filter((view) => view.presence);
  const suspended = online.filter((view) => presentProgress(view, state.config.targetVersion) === 'suspended');
  const foreign = isPublished(state.config) && !state.current;
  const checks = [
    () => checkHold(state.hold, now),
    () => {
      if (!force) checkQuarantine(state.quarantine, target.commitId);
    },
    () => {
      if (resolved.refusal) throw resolved.refusal;
    },
  ];
  return {
    ...{ app, resolved, current, suspended, policy },
    currentName: state.current && deploymentName(state.current.number),
    // A foreign write that has no record yet gets one first.
    deployment: state.deployments.last + (foreign ? 2 : 1),
    changes: current === null || !sameTarget(current, target),
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

const sameTarget = (a: Target, b: Target): boolean =>
  a.url === b.url && a.commitId === b.commitId && a.relativePath === b.relativePath;

/**
 * `gitfleet plan`.
 * @param publish the command that would do this: a bare one would take another commit.
 */
export function planLines(plan: Plan, publish: string, screen: Screen): string[] {
  const { resolved, current, takePart, suspended, offline, blockers } = plan;
  const { target, warning, change } = resolved;
  const before = current ? `${short(current.commitId)}${plan.currentName ? ` (${plan.currentName})` : ''} -> ` : '';
  const places = placeLines(current, target);
  const where = `at ${target.relativePath} from ${visible(target.url)}`;
  const ids = (views: readonly AgentView[]) =>
    names(
      views.map((view) => view.agentId),
      10,
    );
  return [
    line(
      screen,
      `${plan.app}: ${deploymentName(plan.deployment)} would be ${before}${short(target.commitId)} ${where}`,
    ),
    ...places.map((each) => line(screen, each)),
    ...changeLines(change, places.length > 0, screen),
    ...(change.ahead === null && change.from ? ['  which commits lie between them is not known here'] : []),
    ...(warning ? [line(screen, `  warning: ${warning}`, 'busy')] : []),
    line(
      screen,
      takePart.length === 0
        ? `  ${noAgentWords(suspended)}: ${noAgentNext(suspended)}`
        : `  ${count(takePart.length, 'agent')} would take part: ${ids(takePart)}`,
    ),
    ...(plan.policy && takePart.length > 0 ? waveLines(plan.policy, takePart) : []).map((each) => line(screen, each)),
    ...(suspended.length > 0 ? [line(screen, `  ${suspended.length} suspended on the server: ${ids(suspended)}`)] : []),
    ...(offline.length > 0
      ? [line(screen, `  ${offline.length} offline, each catches up alone: ${offlineWords(offline, screen.now)}`)]
      : []),
    ...blockers.flatMap(({ code, reason, hint }) => [
      line(screen, `blocked by ${code}: ${visible(reason, 500)}`, 'bad'),
      line(screen, `  ${hint}`),
    ]),
    lastWords(plan, publish),
  ];
}

function lastWords({ changes, blockers }: Plan, publish: string): string {
  if (blockers.length > 0) return 'nothing was written; a publish now would be refused';
  return changes
    ? `nothing was written; next: ${publish}`
    : `nothing was written; config holds this target already: ${publish} has every agent check it again`;
}

function offlineWords(offline: readonly AgentView[], now: number): string {
  const seen = ({ agentId, reportedAt }: AgentView) =>
    reportedAt === null ? agentId : `${agentId} (last report ${age(now - reportedAt)} ago)`;
  return names(offline.map(seen));
}

/** `gitfleet plan --json`. */
export function planOutputOf(plan: Plan): PlanOutput {
  const { resolved, current, takePart, suspended, offline, blockers, changes, deployment } = plan;
  const core = ({ url, commitId, relativePath }: Target) => ({ url, commitId, relativePath });
  return {
    ...{ changes, deployment, warning: resolved.warning, blockers: [...blockers] },
    current: current && core(current),
    target: core(resolved.target),
    change: { ...resolved.change, titles: [...resolved.change.titles] },
    agents: takePart.map((view) => view.agentId),
    waves: plan.policy ? wavesNow(plan.policy, takePart) : [],
    suspended: suspended.map((view) => view.agentId),
    offline: offline.map(({ agentId, reportedAt }) => ({ agentId, reportedAt })),
  };
}
