import { deploymentName } from '../../schemas/deployment.ts';
import type { Progress } from '../follow.ts';
import { asSeen, staleLines } from '../freshness.ts';
import { agentTable, MAX_SINGLE, tallyOf } from './agent-table.ts';
import { line } from './columns.ts';
import type { Followed } from './progress-lines.ts';
import type { Screen } from './theme.ts';
import { waveWords } from './wave-words.ts';
import { age, names, short } from './words.ts';

/** The live table of a deployment, drawn again at every look: at most `rows` lines, each within the screen. */
export function progressFrame(progress: Progress, { record }: Followed, window: Screen, rows: number): string[] {
  const { verdict, elapsedMs, stale } = progress;
  const screen = asSeen(stale, window);
  const { agents, reached, expected } = verdict;
  const old = staleLines(stale, window);
  const counts = agents.length > MAX_SINGLE ? [line(screen, `  ${tallyOf(agents, screen.now)}`)] : [];
  const wave = waveWords(progress.rollout, agents, screen.now);
  const waves = wave === '' ? [] : [line(screen, `  ${wave}`)];
  const table = agentTable(agents, screen, rows - old.length - counts.length - waves.length - 1);
  const open = agents.filter((agent) => agent.standing !== 'active').map((agent) => agent.agentId);
  const waits = expected === 0 ? 'an agent to come online' : open.length === 0 ? null : names(open, 3);
  const count = `${deploymentName(record.number)}: ${reached}/${expected} agents at ${short(record.target.commitId)}`;
  const last = `${count}, ${age(elapsedMs)}${waits ? `; waiting for ${waits}` : ''}`;
  // In the lowest of windows it stays that the picture is old, and how far it is.
  return [...[...old, ...counts, ...table, ...waves].slice(0, rows - 1), line(screen, last, 'strong')];
}
