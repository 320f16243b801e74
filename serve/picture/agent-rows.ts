import type { AgentView } from '../../fleet/fleet-view.ts';
import { presentProgress } from '../../publisher/verdict.ts';
import { clean } from '../../runtime/safe-text.ts';
import type { Report } from '../../schemas/report.ts';
import type { Said } from '../../schemas/said.ts';
import type { AgentRow } from '../api/shapes.ts';

const MAX_TEXT = 300;
const MAX_NAME = 128;
const MAX_LABELS = 30;

/** The agents of a rollout in waves. */
interface WaveSets {
  readonly members: ReadonlySet<string>;
  readonly canary: ReadonlySet<string>;
}

/**
 * One agent as a row. Pure. Everything in it has a bounded length: an agent writes what it likes into its own nodes, and
 * the row goes to every viewer.
 * @param waves the rollout in waves of the current target; null: there is none.
 */
export function agentRowOf(view: AgentView, targetVersion: string, waves: WaveSets | null): AgentRow {
  const { agentId, presence, report } = view;
  const standing = presentProgress(view, targetVersion);
  return {
    agentId,
    standing,
    phase: report?.phase ?? null,
    phaseAt: report && phaseAtOf(report, view.reportedAt),
    activeCommit: named(report?.activeCommit),
    deployment: report?.deployment ?? null,
    current: report?.targetVersion === targetVersion,
    error: errorOf(report),
    waitingFor: text(report?.waitingFor),
    attempts: Math.max(0, report?.attempts ?? 0),
    retries: report?.retries ?? false,
    suspended: saidOf(report?.suspended),
    override: saidOf(report?.override),
    drift: report?.drift.length ?? 0,
    problem: text(presence?.problem),
    host: named(presence?.host),
    labels: labelsOf(presence?.labels ?? {}),
    agentVersion: named(presence?.agentVersion ?? report?.agentVersion),
    onlineSince: view.onlineSince,
    reportedAt: view.reportedAt,
    part: waves && partOf(agentId, standing, waves),
    canary: waves?.canary.has(agentId) ?? false,
    falsePresence: view.falsePresence ?? false,
  };
}

/** The agent's clock may be wrong, the age of the phase when it reported is not. */
const phaseAtOf = ({ at, phaseAt }: Report, reportedAt: number | null): number =>
  reportedAt === null ? phaseAt : reportedAt - Math.max(0, at - phaseAt);

/** Agents of earlier waves are done with the target, one way or the other; those of later waves at most prepare it. */
function partOf(agentId: string, standing: AgentRow['standing'], { members }: WaveSets): AgentRow['part'] {
  if (members.has(agentId)) return 'now';
  return standing === 'active' || standing === 'failed' || standing === 'overridden' ? 'done' : 'later';
}

function errorOf(report: Report | null): AgentRow['error'] {
  if (!report?.error) return null;
  const { code, reason, hint, next } = report.error;
  return { code: clean(code, MAX_NAME), reason: clean(reason, MAX_TEXT), hint: clean(hint, MAX_TEXT), next };
}

const saidOf = (said: Said | null | undefined): Said | null =>
  said ? { by: clean(said.by, MAX_NAME), reason: clean(said.reason, MAX_TEXT), at: said.at } : null;

const labelsOf = (labels: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(labels)
      .slice(0, MAX_LABELS)
      .map(([name, value]) => [clean(name, MAX_NAME), clean(value, MAX_NAME)]),
  );

const text = (value: string | null | undefined): string | null => (value == null ? null : clean(value, MAX_TEXT));
const named = (value: string | null | undefined): string | null => (value == null ? null : clean(value, MAX_NAME));
