import { visible } from '../../runtime/safe-text.ts';
import type { JudgedAgent } from '../verdict.ts';
import type { Screen, Tone } from './columns.ts';
import { aligned, type Cell, line } from './columns.ts';
import { age, driftWords, names, overrideWords, short, suspensionWords } from './words.ts';

/** Above this number of agents, a screen shows counts and the agents that are not settled, instead of all. */
export const MAX_SINGLE = 20;
/** A person does not read more rows; counts, causes and --json cover the rest. */
const MAX_ROWS = 40;

/**
 * Agents as a table: state, what each shows, for how long, and why. If there are more than `maxLines`, or than a person
 * reads, settled agents are only counted, and the worst of the others come first.
 */
export function agentTable(agents: readonly JudgedAgent[], screen: Screen, maxLines: number): string[] {
  const most = Math.min(maxLines, MAX_ROWS);
  const all = agents.map((agent) => rowOf(agent, screen.now));
  const few = all.length <= Math.min(most - 1, MAX_SINGLE);
  const rows = few ? all : all.filter((row) => row.rank < SETTLED).sort((a, b) => a.rank - b.rank);
  // One line is the heading, and one says what was left out.
  const shown = rows.length <= most - 1 ? rows : rows.slice(0, Math.max(0, most - 2));
  const left = rows.slice(shown.length);
  const lines = shown.length === 0 ? [] : aligned([HEADING, ...shown.map(cellsOf)], indented(screen));
  const more = left.length === 0 ? [] : [line(indented(screen), `and ${left.length} more: ${tally(left)}`)];
  return [...lines, ...more].map((row) => `  ${row}`);
}

/** `fetching`, or `failed: NO_SPACE`. */
export function stateWords(agent: JudgedAgent): string {
  const code = agent.standing === 'offline' ? undefined : agent.view.report?.error?.code;
  const { state } = rowOf(agent, 0);
  return code && agent.standing !== 'silent' ? `${state}: ${visible(code, 40)}` : state;
}

/** `2 failed, 30 fetching, 950 active`: the worst first. */
export function tallyOf(agents: readonly JudgedAgent[], now: number): string {
  return tally(agents.map((agent) => rowOf(agent, now)));
}

const indented = (screen: Screen): Screen => ({ ...screen, columns: screen.columns - 2 });
const HEADING: readonly Cell[] = ['AGENT', 'STATE', 'SHOWS', 'FOR', ''].map((text) => ({ text, tone: 'faint' }));
const SETTLED = 5;

interface Row {
  readonly agentId: string;
  readonly state: string;
  readonly tone: Tone;
  /** The lower, the more urgent. */
  readonly rank: number;
  readonly shows: string;
  readonly since: string;
  readonly detail: string;
}

const cellsOf = ({ agentId, state, tone, shows, since, detail }: Row): Cell[] => [
  { text: visible(agentId, 100) },
  { text: state, tone },
  { text: shows },
  { text: since },
  { text: detail },
];

function tally(rows: readonly Row[]): string {
  const counts = new Map<string, { rank: number; n: number }>();
  for (const { state, rank } of rows) counts.set(state, { rank, n: (counts.get(state)?.n ?? 0) + 1 });
  return [...counts]
    .sort(([, a], [, b]) => a.rank - b.rank || b.n - a.n)
    .map(([state, { n }]) => `${n} ${state}`)
    .join(', ');
}

function rowOf({ agentId, standing, view }: JudgedAgent, now: number): Row {
  const { report, reportedAt, presence } = view;
  const shows = short(report?.activeCommit);
  const drift = report && report.drift.length > 0 ? driftWords(report.drift) : '';
  const row = (state: string, tone: Tone, rank: number, since: string, detail = ''): Row => ({
    ...{ agentId, state, tone, rank, shows, since, detail: detail || drift },
  });
  const both = (words: string) => [words, drift].filter((each) => each !== '').join('; ');
  const since = phaseAge(view, now);
  switch (standing) {
    case 'failed':
      return row('failed', 'bad', 0, since, both(errorWords(view)));
    case 'silent': {
      const problem = presence?.problem;
      const online = view.onlineSince === null ? 'online' : `online for ${age(now - view.onlineSince)}`;
      // How long it has been silent is not known: it may have come online long before this target.
      return row('silent', 'busy', 2, '-', problem ? visible(problem, 300) : `${online}, has not answered yet`);
    }
    case 'working':
      if (report?.error?.next === 'retry') return row('retrying', 'bad', 1, since, both(errorWords(view)));
      if (report?.error) return row('waiting', 'busy', 3, since, both(errorWords(view)));
      return row(report?.phase ?? 'working', 'busy', 3, since, both(waitWords(view)));
    case 'overridden':
      return row('overridden', 'busy', 4, since, both(overrideWords(view)));
    case 'suspended':
      return row('suspended', 'busy', 4, since, both(suspensionWords(view)));
    case 'offline': {
      const seen = reportedAt === null ? 'never reported' : `last report ${age(now - reportedAt)} ago`;
      if (view.falsePresence) {
        const remove = `gitfleet forget ${visible(agentId, 100)}`;
        return row('offline', 'bad', 1, '-', `a node that is not its own is in its place: ${remove}`);
      }
      return row('offline', 'faint', 4, '-', report?.error ? `${seen}: ${errorWords(view)}` : seen);
    }
    case 'active':
      return row('active', 'good', drift === '' ? SETTLED : 4, since);
  }
}

/**
 * The agent's clock may be wrong, so it only gives the age of the phase at the report; the ensemble's clock gives the
 * age of the report.
 */
export function phaseAge({ report, reportedAt }: JudgedAgent['view'], now: number): string {
  if (!report || reportedAt === null) return '-';
  return age(Math.max(0, report.at - report.phaseAt) + Math.max(0, now - reportedAt));
}

function errorWords({ report }: JudgedAgent['view']): string {
  if (!report?.error) return '';
  const tries = report.error.next === 'retry' ? ` (try ${report.attempts})` : '';
  return `${visible(report.error.code, 40)}${tries}: ${visible(report.error.reason, 300)}`;
}

function waitWords({ report }: JudgedAgent['view']): string {
  if (report?.waitingFor) return `for ${visible(report.waitingFor, 200)}`;
  return report?.phase === 'awaiting' ? 'ready, waiting for its turn' : '';
}

/**
 * The failures, once per cause: code and reason, the agents, what to do, and the end of the step's output. `maxCauses`
 * keeps a fleet with many different failures readable.
 */
export function failureLines(agents: readonly JudgedAgent[], screen: Screen, maxCauses = 5): string[] {
  const causes = new Map<string, JudgedAgent[]>();
  for (const agent of agents) {
    const { error, phase } = agent.view.report ?? {};
    if (!error || !['failed', 'working'].includes(agent.standing) || (error.next === 'wait' && phase !== 'failed'))
      continue;
    const key = `${error.code}\n${error.hint}`;
    causes.set(key, [...(causes.get(key) ?? []), agent]);
  }
  const waits = (group: JudgedAgent[]) => (group[0]?.standing === 'failed' ? 0 : 1);
  // Failures that need a person come before those that are retried.
  const worst = [...causes.values()].sort((a, b) => waits(a) - waits(b) || b.length - a.length);
  const lines = worst.slice(0, maxCauses).flatMap((group) => {
    const report = group[0]?.view.report;
    const error = report?.error;
    if (!error) return [];
    const where = names(group.map((agent) => agent.agentId));
    const code = visible(error.code, 40);
    const cause = line(screen, `  ${code} on ${where}: ${visible(error.reason, 500)}`);
    return [
      // As a function, because a code might contain `$&`.
      cause.replace(code, () => screen.paint('bad', code)),
      ...(error.hint === '' ? [] : [line(screen, `    ${visible(error.hint, 500)}`)]),
      ...outputLines(report.output).map((words) => line(screen, words)),
    ];
  });
  const more = worst.length - maxCauses;
  return more > 0 ? [...lines, line(screen, `  and ${more} other ${more === 1 ? 'cause' : 'causes'}`)] : lines;
}

/** The end of a step's output, quoted line by line. */
export function outputLines(output: string | null, most = 10): string[] {
  if (!output) return [];
  const lines = output.trimEnd().split('\n');
  return lines.slice(-most).map((words) => `    | ${visible(words, 300)}`);
}
