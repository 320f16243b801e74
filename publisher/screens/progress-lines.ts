import type { AgentView } from '../../fleet/fleet-view.ts';
import { visible } from '../../runtime/safe-text.ts';
import { deploymentName } from '../../schemas/deployment.ts';
import type { DeploymentProgress } from '../follow.ts';
import type { Stale } from '../freshness.ts';
import { wasSetBack } from '../shown-target.ts';
import { type Ending, type JudgedAgent, offlineIn } from '../verdict.ts';
import { agentTable, failureLines, MAX_SINGLE, outputLines, stateWords, tallyOf } from './agent-table.ts';
import { line, type Screen } from './columns.ts';
import { followedSpread, spreadWords } from './cutover-words.ts';
import { nextCommands, nextWords, setBackWords } from './next-commands.ts';
import type { Followed } from './published-lines.ts';
import { asSeen, staleChange, staleLines } from './stale-lines.ts';
import { abortWords, heldWords, waveWords } from './wave-words.ts';
import { age, nameAndCommit, names, noAgentNext, noAgentWords, reachedWords, short, standingWords } from './words.ts';

/**
 * Lines for what changed since the last reading: plain text without control codes, for a terminal and for `remote:`.
 */
interface ProgressLines {
  next(progress: DeploymentProgress): string[];
}

/** How often, at least, a line says what the command waits for. */
const REMIND_MS = 10_000;

/** How long it took; after `attach`, how long we watched. */
const spent = (ms: number, { again }: Followed): string => `${age(ms)}${again ? ' of watching' : ''}`;

/** In a large fleet, only the first few agents of a cause get a line; the verdict counts the others. */
const MAX_PER_CAUSE = 5;

export function createProgressLines(published: Followed, now: () => number): ProgressLines {
  const told = new Map<string, string>();
  const causes = new Map<string, number>();
  let stale: Stale | null = null;
  let remindAt = REMIND_MS;
  let toldWave = '';

  /** What changed for one agent; empty if that is not worth a line. */
  function agentLines(agent: JudgedAgent, elapsedMs: number, quiet: boolean): string[] {
    const error = agent.view.report?.error;
    const cause = error?.code ?? '';
    const key = `${agent.standing} ${cause}`;
    if (told.get(agent.agentId) === key) return [];
    if (agent.standing !== 'failed' && !error && (agent.standing !== 'active' || quiet)) return [];
    told.set(agent.agentId, key);
    const times = (causes.get(key) ?? 0) + 1;
    causes.set(key, times);
    if (quiet && times > MAX_PER_CAUSE) return [];
    const words = `  ${visible(agent.agentId, 100)}: ${standingWords(agent)} (${spent(elapsedMs, published)})`;
    if (agent.standing !== 'failed') return [words];
    // The hint is printed once, the step's output each time, because it may differ.
    const hint = times === 1 && error?.hint ? [`    ${visible(error.hint, 300)}`] : [];
    return [words, ...hint, ...outputLines(agent.view.report?.output ?? null)];
  }

  return {
    next(progress) {
      const { verdict } = progress;
      const lines: string[] = [];
      lines.push(...staleChange(stale, progress.stale).map((words) => `  ${words}`));
      stale = progress.stale;
      const wave = waveWords(progress.rollout, verdict.agents, null);
      if (wave !== '' && wave !== toldWave) lines.push(`  ${wave}`);
      toldWave = wave;
      const quiet = verdict.expected > MAX_SINGLE;
      for (const agent of verdict.agents) lines.push(...agentLines(agent, progress.elapsedMs, quiet));
      if (!progress.ending && progress.elapsedMs >= remindAt) {
        remindAt = progress.elapsedMs + REMIND_MS;
        lines.push(waitLine(progress, published));
      }
      if (progress.ending) lines.push(...verdictLines(progress, progress.ending, published, now()));
      return lines;
    },
  };
}

const waitLine = (progress: DeploymentProgress, followed: Followed): string =>
  `  ${countOf(progress, followed)} after ${spent(progress.elapsedMs, followed)}; ${awaitedWords(progress)}`;

const countOf = ({ verdict }: DeploymentProgress, { record }: Followed): string =>
  reachedWords(verdict, record.target.commitId);

/** What the command waits for. */
function awaitedWords({ verdict, rollout, isLed }: DeploymentProgress): string {
  if (rollout && !isLed) return 'no coordinator leads the rollout: it continues when one is back (gitfleet status)';
  const held = heldWords(rollout);
  if (held !== null) return held;
  if (verdict.expected === 0) return 'waiting for an agent to come online';
  const open = verdict.agents.filter((agent) => agent.standing !== 'active');
  if (open.length === 0) {
    // All show it, but the coordinator decides, and still watches the last wave.
    const wave = waveWords(rollout, verdict.agents, null);
    return `waiting for the coordinator${wave === '' ? '' : ` (${wave})`}`;
  }
  if (rollout === null && open.every((agent) => agent.view.report?.phase === 'awaiting'))
    return 'all are ready, but no coordinator leads the rollout: gitfleet status shows who is online';
  const first = open.slice(0, 5).map((agent) => `${visible(agent.agentId, 100)} (${stateWords(agent)})`);
  return `waiting for ${first.join(', ')}${open.length > 5 ? ` and ${open.length - 5} more` : ''}`;
}

/** The last lines: the verdict, then what belongs to it and the next command to type. No line of progress follows it. */
export function verdictLines(progress: DeploymentProgress, ending: Ending, followed: Followed, now: number): string[] {
  const { record } = followed;
  const what = nameAndCommit(record);
  const name = deploymentName(record.number);
  const count = countOf(progress, followed);
  const more = `${missingWords(progress, now)}${togetherWords(progress, followed)}`;
  const instead = progress.supersededBy;
  switch (ending) {
    case 'converged':
      return [`${what}: ${count}${followed.again ? '' : ` in ${age(progress.elapsedMs)}`}${more}`];
    case 'failed':
      return [`${what} FAILED: ${count}${more}`, nextWords(waysOn(ending, progress, followed, 'gitfleet status'))];
    case 'rolled-back':
      return [
        `${what} ROLLED BACK: ${visible(progress.reason, 300)}`,
        `  ${short(record.target.commitId)} is in quarantine${instead ? `; the fleet goes back to ${short(instead.target.commitId)} as ${deploymentName(instead.number)}` : ''}`,
        `next: ${instead ? `gitfleet attach ${deploymentName(instead.number)}` : 'gitfleet status'}; publish a commit that fixes it: gitfleet publish COMMIT --force -m WHY, or git push -o gitfleet.force=WHY`,
      ];
    case 'halted':
      return [
        `${what} HALTED: ${visible(progress.reason, 300)} (${count}${more})`,
        nextWords(waysOn(ending, progress, followed, null)),
      ];
    case 'aborted':
      return [
        `${what} ABORTED${abortWords(progress.reason)} (${count}${more})`,
        nextWords(waysOn(ending, progress, followed, null)),
      ];
    case 'superseded':
      return [
        `${what} was superseded${instead ? ` by ${nameAndCommit(instead)}, published by ${visible(instead.by, 100)}` : ': something newer was published'} (${count})`,
        `next: ${instead ? `gitfleet attach ${deploymentName(instead.number)}` : 'gitfleet status'}`,
      ];
    case 'timed-out':
      return [
        `${what} still running after ${spent(progress.elapsedMs, followed)}: ${count}${more}; ${awaitedWords(progress)}`,
        `next: gitfleet attach ${name} (agents continue without it; nothing is lost)`,
      ];
    case 'no-agents': {
      const { takenOut } = progress.verdict;
      const then = takenOut.length > 0 ? 'it is resumed' : 'it comes';
      return [
        `${what} is published, but ${noAgentWords(takenOut)}: each agent deploys it when ${then}`,
        nextWords(['gitfleet status', noAgentNext(takenOut)]),
      ];
    }
  }
}

/**
 * `, 1 offline: web-3 (last report 2 h ago; catches up automatically); without web-4: NO_SPACE`: the agents that do not
 * count.
 */
function missingWords({ verdict, rollout }: DeploymentProgress, now: number): string {
  const offline = offlineIn(verdict);
  const done = verdict.agents.filter(({ standing }) => standing === 'active').map(({ view }) => view);
  const { excused = [], late = [], failures = [] } = rollout ?? {};
  const left = failures.filter(({ agentId }) => offline.every((view) => view.agentId !== agentId));
  const why = (agentId: string, code: string) =>
    `${agentId}: ${excused.includes(agentId) ? 'excused, ' : late.includes(agentId) ? 'late, ' : ''}${visible(code, 40)}`;
  const away = offline.length === 0 ? '' : `, ${offlineWords(offline, done, now)}`;
  return left.length === 0 ? away : `${away}; without ${names(left.map(({ agentId, code }) => why(agentId, code)))}`;
}

function offlineWords(offline: readonly AgentView[], done: readonly AgentView[], now: number): string {
  const seenAt = offline.length === 1 ? offline[0]?.reportedAt : null;
  const words = [
    ...(seenAt == null ? [] : [`last report ${age(now - seenAt)} ago`]),
    ...(offline.every((view) => done.includes(view))
      ? []
      : [`${offline.length === 1 ? 'catches' : 'catch'} up automatically`]),
  ].join('; ');
  return `${offline.length} offline: ${names(offline.map(({ agentId }) => agentId))}${words === '' ? '' : ` (${words})`}`;
}

/** How close together the agents swapped, if the policy says `cutover: together`. */
function togetherWords({ verdict }: DeploymentProgress, { targetVersion }: Followed): string {
  const spread = followedSpread(verdict, targetVersion);
  return spread ? `; ${spreadWords(spread)}` : '';
}

function waysOn(
  ending: 'failed' | 'halted' | 'aborted',
  progress: DeploymentProgress,
  { targetVersion }: Followed,
  look: string | null,
): string[] {
  const fleet = progress.verdict.agents.map(({ view }) => view);
  if (wasSetBack(fleet, targetVersion, progress.rollout)) return [setBackWords(fleet)];
  return nextCommands(ending, progress, look);
}

/** The failures in full, after a live table that had no room for them. */
export const endedFailures = ({ verdict }: DeploymentProgress, screen: Screen): string[] =>
  failureLines(verdict.agents, screen);

/**
 * The live table of a deployment, redrawn at every reading: at most `rows` lines, each within the screen. The last
 * frame, after the end, has no progress line.
 */
export function progressFrame(
  progress: DeploymentProgress,
  { record }: Followed,
  window: Screen,
  rows: number,
): string[] {
  const { verdict, elapsedMs, stale } = progress;
  const screen = asSeen(stale, window);
  const { agents, expected } = verdict;
  const old = staleLines(stale, window);
  const counts = agents.length > MAX_SINGLE ? [line(screen, `  ${tallyOf(agents, screen.now)}`)] : [];
  const wave = waveWords(progress.rollout, agents, screen.now);
  const waves = wave === '' ? [] : [line(screen, `  ${wave}`)];
  const table = agentTable(agents, screen, rows - old.length - counts.length - waves.length - 1);
  const open = agents.filter((agent) => agent.standing !== 'active').map((agent) => agent.agentId);
  const waits = expected === 0 ? 'an agent to come online' : open.length === 0 ? null : names(open, 2);
  const count = `${deploymentName(record.number)}: ${reachedWords(verdict, record.target.commitId)}`;
  const last = `${count}, ${age(elapsedMs)}${waits ? `; waiting for ${waits}` : ''}`;
  const above = [...old, ...counts, ...table, ...waves].slice(0, rows - 1);
  // The verdict, which stays on the screen below the table, replaces it.
  if (progress.ending) return above;
  // In the smallest window, a stale warning and the progress line remain.
  return [...above, line(screen, last, 'strong')];
}
