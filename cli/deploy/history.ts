import { readAudit } from '../../fleet/audit.ts';
import { readHistory } from '../../fleet/history.ts';
import { readSharedState } from '../../fleet/shared-state.ts';
import { type AgentReports, partOf } from '../../publisher/agent-part.ts';
import { historyLines, inTimeOrder } from '../../publisher/screens/history-screen.ts';
import type { Deployment } from '../../schemas/deployment.ts';
import type { HistoryOutput } from '../../schemas/json-output.ts';
import type { AuditRecord } from '../../schemas/records/audit.ts';
import { AGENT_ID, type Znodes, znodes } from '../../schemas/znodes.ts';
import type { Session } from '../../zookeeper/session.ts';
import type { Call } from '../command-table.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { withSession } from '../shell/session.ts';
import { readSettings } from '../shell/settings.ts';
import { say, sayJson, screenNow, usage } from '../shell/terminal.ts';
import { timeToShow } from './fleet-time.ts';
import { agentUnknown } from './operands.ts';
import { parseSince } from './since.ts';
import { verify } from './verify-history.ts';

/**
 * `gitfleet history`: deployments and the acts between them, newest first. With `--verify`: whether the records are
 * intact.
 */
export async function run(call: Call): Promise<number> {
  const { options } = call;
  if (options['verify'] === true) return await verify(call);
  if (options['head'] !== undefined) throw usage('--head is for --verify', 'gitfleet history --verify --head HEAD');
  const most = mostOf(options);
  // Usage errors are found before anything is read.
  const sinceOf = (now: number) =>
    options['since'] === undefined ? null : parseSince(String(options['since']), now, options['utc'] === true);
  sinceOf(0);
  const settings = await readSettings(options);
  return await withSession(settings, async (session) => {
    const paths = znodes(settings.app);
    const [state, history, acts, time, agent] = await Promise.all([
      readSharedState(session, paths),
      readHistory(session, paths, most + 1),
      options['audit'] === false ? [] : readAudit(session, paths),
      timeToShow(session, paths),
      options['agent'] === undefined ? undefined : reportsOf(session, paths, String(options['agent'])),
    ]);
    const since = sinceOf(time.now());
    const recent = since === null ? most : history.filter(({ at }) => at >= since).length;
    const cut = { most: Math.min(most, recent), ...(since !== null && recent <= most ? { from: since } : {}) };
    if (options['json']) {
      for (const item of inTimeOrder(history, cut.most, acts, cut.from))
        sayJson(('act' in item ? auditOf(item.act) : recordOf(item.record, agent)) satisfies HistoryOutput);
    } else {
      const shown = { ...cut, acts, quarantined: state.quarantine.value, utc: options['utc'] === true };
      const of = agent === undefined ? {} : { part: (record: Deployment) => partOf(record, agent) };
      say(...historyLines(history, state.current?.number ?? null, screenNow(time.now()), { ...shown, ...of }));
    }
    return EXIT.converged;
  });
}

/** With `--since` the date is the limit, unless a number is given. */
function mostOf(options: Call['options']): number {
  if (options['number'] === undefined) return options['since'] === undefined ? 20 : Number.POSITIVE_INFINITY;
  const most = Number(options['number']);
  if (Number.isSafeInteger(most) && most >= 1) return most;
  throw usage('--number must be a whole number from 1', 'gitfleet history -n 20');
}

/** @throws FleetError AGENT_UNKNOWN */
async function reportsOf(session: Session, paths: Znodes, agentId: string): Promise<AgentReports> {
  if (!AGENT_ID.test(agentId)) throw await agentUnknown(session, paths, agentId);
  const [report, presence] = await Promise.all([
    session.exists(paths.report(agentId)),
    session.exists(paths.presence(agentId)),
  ]);
  if (!report && !presence) throw await agentUnknown(session, paths, agentId);
  return { agentId, reported: report && { first: report.ctime, last: report.mtime } };
}

const recordOf = (record: Deployment, agent: AgentReports | undefined): HistoryOutput =>
  agent === undefined ? record : { ...record, agent: { agentId: agent.agentId, ...partOf(record, agent) } };

function auditOf({ number, kind, by, reason, at, what }: AuditRecord): HistoryOutput {
  return { audit: { number, kind, by, reason, at, what } };
}
