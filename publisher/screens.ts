import type { AgentView } from '../fleet/fleet-view.ts';
import { isRecorded, type SharedState } from '../fleet/shared-state.ts';
import { clean } from '../runtime/log.ts';
import { type Deployment, deploymentName } from '../schemas/deployment.ts';
import { ANY_URL, parseTarget } from '../schemas/target.ts';
import { judge, standingOf } from './verdict.ts';
import { age, outcomeWord, short, standingWords } from './words.ts';

/** `gitfleet status`: what is wanted, and where each agent stands with it. */
export function statusLines(app: string, state: SharedState, fleet: readonly AgentView[], now: number): string[] {
  if (state.config.data.length === 0) {
    return [`${app}: nothing published yet`, ...agentTable(fleet, '', now), 'next: gitfleet publish'];
  }
  const wanted = parseTarget(state.config.data, ANY_URL);
  const record = isRecorded(state) ? state.lastRecord : null;
  const name = record ? deploymentName(record.number) : 'set by another ZooKeeper client';
  const head = wanted.ok
    ? `${app}: ${name} wants ${short(wanted.target.commitId)} at ${wanted.target.relativePath} from ${clean(wanted.target.url)}`
    : `${app}: ${name} is refused by everybody: ${wanted.failure.code} ${wanted.failure.reason}`;
  const who = record
    ? [`  ${clean(record.author, 100)}, ${age(now - record.at)} ago: ${clean(record.reason, 120)}`]
    : [];
  const online = new Set(fleet.filter((view) => view.presence).map((view) => view.agentId));
  const verdict = judge(fleet, online, state.config.targetVersion);
  const last =
    verdict.expected === 0
      ? 'no agent is online'
      : `${verdict.reached}/${verdict.expected} online agents at ${wanted.ok ? short(wanted.target.commitId) : 'it'}`;
  return [head, ...who, ...agentTable(fleet, state.config.targetVersion, now), last];
}

function agentTable(fleet: readonly AgentView[], targetVersion: string, now: number): string[] {
  const width = Math.max(0, ...fleet.map((view) => view.agentId.length));
  return fleet.map((view) => {
    const standing = standingOf(view, targetVersion);
    const words = standingWords({ agentId: view.agentId, standing, view });
    const shows = standing === 'active' ? '' : `, shows ${short(view.report?.activeCommit)}`;
    const seen = view.presence || !view.report ? '' : `, last report ${age(now - view.report.at)} ago`;
    const since = standing === 'active' && view.report ? `, since ${age(now - view.report.since)}` : '';
    const drift = view.report?.drift ?? [];
    const drifted = drift.length === 0 ? '' : `, ${driftWords(drift)}`;
    return `  ${clean(view.agentId, 100).padEnd(width)}  ${words}${shows}${since}${drifted}${seen}`;
  });
}

/** `gitfleet history`: newest first. */
export function historyLines(history: readonly Deployment[], current: number | null, now: number): string[] {
  if (history.length === 0) return ['nothing published yet', 'next: gitfleet publish'];
  const rows = history.map((record) => [
    `${record.number === current ? '*' : ' '} ${deploymentName(record.number)}`,
    short(record.target.commitId),
    outcomeWord(record, record.number === current),
    record.outcome ? `${record.outcome.reached}/${record.outcome.expected}` : '',
    `${age(now - record.at)} ago`,
    clean(record.author, 40),
    `${record.returnsTo === null ? '' : `(back to ${deploymentName(record.returnsTo)}) `}${clean(record.reason, 80)}`,
  ]);
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

function driftWords(names: readonly string[]): string {
  const shown = names.slice(0, 3).map((name) => clean(name, 80));
  const count = names.length === 1 ? '1 file is' : `${names.length} files are`;
  return `${count} not the commit's: ${shown.join(', ')}${names.length > 3 ? ' ...' : ''}`;
}
