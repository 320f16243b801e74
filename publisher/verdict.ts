import type { AgentView } from '../fleet/fleet-view.ts';
import { type Deployment, MAX_MISSING, type Outcome } from '../schemas/deployment.ts';
import { FORGOTTEN_AFTER_MS } from '../schemas/policy.ts';
import { hasGivenUp, isOverridden, isSuspended } from '../schemas/report.ts';

/** Where one agent stands with one targetVersion. */
export type AgentProgress =
  | 'active' // serves it; the activate step succeeded
  | 'overridden' // a person on the server keeps it on another commit
  | 'suspended' // a person on the server took it out of every rollout
  | 'failed' // gave up; a person must act, or publish something newer
  | 'working' // on its way, including retries
  | 'silent' // online, but has not reported about it yet
  | 'offline';

export interface JudgedAgent {
  readonly agentId: string;
  readonly standing: AgentProgress;
  readonly view: AgentView;
}

export interface Verdict {
  /** `no-agents`: no agent is expected, which is not converged. */
  readonly state: 'converged' | 'failed' | 'running' | 'no-agents';
  readonly reached: number;
  readonly expected: number;
  readonly agents: readonly JudgedAgent[];
  /** Not expected, because a person suspended them. */
  readonly takenOut: readonly AgentView[];
  /** Not expected, because they are offline. They catch up when they are back, and every verdict names them. */
  readonly away: readonly AgentView[];
}

/**
 * Judges one deployment from the agents' own reports. Expected are the agents that were online at publish or since,
 * except suspended ones. The state is `failed` only once every other expected agent has settled, so that the count is
 * final.
 */
export function judgeDeployment(
  fleet: readonly AgentView[],
  expected: ReadonlySet<string>,
  targetVersion: string,
): Verdict {
  const agents = fleet
    .filter((view) => expected.has(view.agentId))
    .map((view) => ({ agentId: view.agentId, standing: standingOf(view, targetVersion), view }))
    .filter((agent) => agent.standing !== 'suspended');
  const count = (...wanted: AgentProgress[]) => agents.filter((agent) => wanted.includes(agent.standing)).length;
  const reached = count('active');
  const summary = {
    reached,
    expected: agents.length,
    agents,
    takenOut: takenOut(fleet),
    away: awayOf(fleet, expected),
  };
  if (agents.length === 0) return { state: 'no-agents', ...summary };
  if (reached === agents.length) return { state: 'converged', ...summary };
  const settled = reached + count('failed', 'overridden');
  return { state: settled === agents.length ? 'failed' : 'running', ...summary };
}

function standingOf(view: AgentView, targetVersion: string): AgentProgress {
  if (isSuspended(view.report)) return 'suspended';
  const report = view.report?.targetVersion === targetVersion ? view.report : null;
  if (isOverridden(report)) return 'overridden';
  if (report?.phase === 'active') return 'active';
  if (hasGivenUp(report)) return 'failed';
  if (!view.presence) return 'offline';
  return report ? 'working' : 'silent';
}

/** The same for a view of the fleet instead of one deployment: an agent without presence is always offline. */
export const presentProgress = (view: AgentView, targetVersion: string): AgentProgress =>
  view.presence ? standingOf(view, targetVersion) : 'offline';

/** The agents that are present now, and how many of them show the target: the count that every screen shows. */
export function onlineCount({ agents }: Verdict): { readonly reached: number; readonly expected: number } {
  const online = agents.filter(({ view }) => view.presence);
  return { reached: online.filter(({ standing }) => standing === 'active').length, expected: online.length };
}

/** The agents that are not in that count: away before, or gone since. Every verdict names them. */
export const offlineIn = ({ away, agents }: Verdict): AgentView[] => [
  ...away,
  ...agents.filter(({ view }) => !view.presence).map(({ view }) => view),
];

/** The outcome that history keeps of a verdict. */
export function outcomeOfVerdict(verdict: Verdict, state: Outcome['state'], at: number, by: string): Outcome {
  const away = verdict.away.map((view): JudgedAgent => ({ agentId: view.agentId, standing: 'offline', view }));
  const missing = [...verdict.agents.filter((agent) => agent.standing !== 'active'), ...away]
    .slice(0, MAX_MISSING)
    .map(({ agentId, standing, view }) => ({
      agentId,
      code: standing === 'failed' || standing === 'working' ? (view.report?.error?.code ?? standing) : standing,
    }));
  return { state, at, reached: verdict.reached, expected: verdict.expected + away.length, missing, by };
}

/** Offline and not expected. An agent whose last report is very old counts as gone for good; `forget` removes it. */
function awayOf(fleet: readonly AgentView[], expected: ReadonlySet<string>): AgentView[] {
  const newest = Math.max(...fleet.map(({ reportedAt }) => reportedAt ?? 0));
  const isRecent = ({ reportedAt }: AgentView) => reportedAt !== null && newest - reportedAt <= FORGOTTEN_AFTER_MS;
  return fleet.filter((view) => !view.presence && !expected.has(view.agentId) && isRecent(view));
}

/** Online, but suspended by a person on the server. */
export const takenOut = (fleet: readonly AgentView[]): AgentView[] =>
  fleet.filter((view) => view.presence && isSuspended(view.report));

/** How the wait for a deployment ended. */
export type Ending =
  | 'converged'
  | 'failed'
  | 'rolled-back' // the last proven target was published in its place
  | 'halted' // its rollout was stopped; a person must decide
  | 'aborted' // a person ended its rollout
  | 'superseded'
  | 'timed-out'
  | 'no-agents';

/** The state to report for an ending: after a bad ending, nothing is running any more for the waiting command. */
export function stateAfter(ending: Ending, seen: Verdict['state']): Verdict['state'] {
  switch (ending) {
    case 'converged':
    case 'no-agents':
      return ending;
    case 'failed':
    case 'rolled-back':
    case 'halted':
    case 'aborted':
      return 'failed';
    case 'superseded':
    case 'timed-out':
      return seen === 'failed' ? 'failed' : 'running';
  }
}

/** How a deployment that is no longer in config ended, by its record. One that was not judged was superseded. */
export function endingOfPast({ outcome }: Deployment): Exclude<Ending, 'no-agents' | 'timed-out' | 'halted'> {
  switch (outcome?.state) {
    case 'proven':
      return 'converged';
    case 'failed':
    case 'aborted':
    case 'rolled-back':
      return outcome.state;
    default:
      return 'superseded';
  }
}
