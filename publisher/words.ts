import { clean } from '../runtime/log.ts';
import { type Deployment, deploymentName } from '../schemas/deployment.ts';
import type { AgentStanding } from './verdict.ts';

/** The words that every screen shares: short ids, ages, one agent's line. All text from outside passes `clean`. */
export const short = (commitId: string | null | undefined): string =>
  commitId ? clean(commitId, 64).slice(0, 10) : '-';

/** 0.3 s, 12 s, 5 min, 3 h, 4 d: one unit, as a person would say it. */
export function age(ms: number): string {
  const seconds = Math.max(0, ms) / 1_000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3_600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

/** How a deployment stands, in one word; an open one is whatever config shows now. */
export const outcomeWord = (record: Deployment, current: boolean): string =>
  record.outcome?.state ?? (current ? 'current' : 'unjudged');

/** What one agent is about, and for what it waits: `fetching, try 3: FETCH_FAILED connection refused`. */
export function standingWords({ standing, view }: AgentStanding): string {
  const report = view.report;
  if (standing === 'offline') return 'offline';
  if (standing === 'silent') {
    const problem = view.presence?.problem;
    return problem ? `online, but ${clean(problem, 200)}` : 'online, has not answered yet';
  }
  if (standing === 'overridden') {
    const { by, reason } = report?.override ?? { by: '', reason: '' };
    return `kept on ${short(report?.activeCommit)} by ${clean(by, 100)} on the server: ${clean(reason, 200)}`;
  }
  if (standing === 'active') return `active ${short(report?.activeCommit)}`;
  const error = report?.error;
  if (!error) return report?.waitingFor ? `waiting for ${clean(report.waitingFor, 200)}` : (report?.phase ?? '');
  const tries = error.next === 'retry' ? `retrying (${report?.attempts ?? 0} so far): ` : 'failed: ';
  return `${tries}${clean(error.code, 40)} ${clean(error.reason, 300)}`;
}

export const nameAndCommit = (record: Deployment): string =>
  `${deploymentName(record.number)} ${short(record.target.commitId)}`;
