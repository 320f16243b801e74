import type { AgentView } from '../../fleet/fleet-view.ts';
import { visible } from '../../runtime/safe-text.ts';
import { type Deployment, deploymentName } from '../../schemas/deployment.ts';
import { hasLeft } from '../../schemas/report.ts';
import { type JudgedAgent, onlineCount, takenOut, type Verdict } from '../verdict.ts';

/** The texts that all screens share: short ids, ages, one agent's line. All text from outside passes `visible`. */
export const short = (commitId: string | null | undefined): string =>
  commitId ? visible(commitId, 64).slice(0, 10) : '-';

/** 0.3 s, 12 s, 5 min, 3 h, 4 d: a single unit. */
export function age(ms: number): string {
  const seconds = Math.max(0, ms) / 1_000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3_600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

/** `1 agent`, `2 agents`. */
export const count = (n: number, one: string, many = `${one}s`): string => `${n} ${n === 1 ? one : many}`;

/** `2/3 online agents at 9dbcdf1ee3`: the same count on every screen. */
export function reachedWords(verdict: Verdict, commitId: string | null): string {
  const { reached, expected } = onlineCount(verdict);
  return `${reached}/${expected} online agents at ${commitId === null ? 'it' : short(commitId)}`;
}

/** The first few names, and how many more there are. */
export function names(all: readonly string[], most = 5): string {
  const more = all.length > most ? ` and ${all.length - most} more` : '';
  return `${all
    .slice(0, most)
    .map((name) => visible(name, 100))
    .join(', ')}${more}`;
}

/** The outcome of a deployment in one word. One without an outcome is `current` if config holds it. */
export const outcomeWord = (record: Deployment, current: boolean): string =>
  record.outcome?.state ?? (current ? 'current' : 'unjudged');

/** What one agent does, and what it waits for: `retrying (3 so far): FETCH_FAILED connection refused`. */
export function standingWords({ standing, view }: JudgedAgent): string {
  const report = view.report;
  if (standing === 'offline') return offlineWords(view);
  if (standing === 'silent') {
    const problem = view.presence?.problem;
    return problem ? `online, but ${visible(problem, 200)}` : 'online, has not answered yet';
  }
  if (standing === 'suspended') return `suspended ${suspensionWords(view)}`;
  if (standing === 'overridden') return `overridden: stays on ${short(report?.activeCommit)}, ${overrideWords(view)}`;
  if (standing === 'active') return `active ${short(report?.activeCommit)}`;
  const error = report?.error;
  if (!error) return report?.waitingFor ? `waiting for ${visible(report.waitingFor, 200)}` : phaseWords(view);
  const tries = error.next === 'retry' ? `retrying (${report?.attempts ?? 0} so far): ` : 'failed: ';
  return `${tries}${visible(error.code, 40)} ${visible(error.reason, 300)}`;
}

function offlineWords({ falsePresence, report }: AgentView): string {
  if (falsePresence) return 'offline: a node that is not its own is in its place';
  return hasLeft(report) ? 'left for good: nothing expects it' : 'offline';
}

export function overrideWords({ report }: JudgedAgent['view']): string {
  const { by, reason } = report?.override ?? { by: '', reason: '' };
  return onServer(by, reason);
}

export function suspensionWords({ report }: JudgedAgent['view']): string {
  const { by, reason } = report?.suspended ?? { by: 'unknown', reason: 'no reason is known' };
  return onServer(by, reason);
}

const onServer = (by: string, reason: string): string =>
  `by ${visible(by, 100)} on the server${reason === '' ? '' : `: ${visible(reason, 200)}`}`;

/** `awaiting` alone would not say for what. */
export const phaseWords = ({ report }: JudgedAgent['view']): string =>
  report?.phase === 'awaiting' ? 'ready, waiting for its turn' : (report?.phase ?? '');

export const nameAndCommit = (record: Deployment): string =>
  `${deploymentName(record.number)} ${short(record.target.commitId)}`;

export function driftWords(files: readonly string[]): string {
  const shown = files.slice(0, 3).map((name) => visible(name, 80));
  const many = files.length === 1 ? '1 file is' : `${files.length} files are`;
  return `${many} not the commit's: ${shown.join(', ')}${files.length > 3 ? ' ...' : ''}`;
}

/** Why no agent takes part: none is online, or all are suspended. */
export const noAgentWords = (fleet: readonly AgentView[]): string =>
  takenOut(fleet).length > 0 ? 'every agent that is online is suspended' : 'no agent is online';

/** The command that ends that. */
export function noAgentNext(fleet: readonly AgentView[]): string {
  const out = takenOut(fleet);
  return out.length > 0
    ? `on the server of ${names(out.map((view) => view.agentId))}, gitfleet agent resume`
    : 'on a server, gitfleet agent run';
}
