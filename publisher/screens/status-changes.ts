import { visible } from '../../runtime/safe-text.ts';
import { staleChange } from '../freshness.ts';
import { MAX_SINGLE, tallyOf } from './agent-table.ts';
import { nextLines, rolloutLines, type StatusPicture, standings, statusLines } from './status-screen.ts';
import type { Screen } from './theme.ts';
import { standingWords } from './words.ts';

/** What became different between two pictures, one plain line each: for logs, where nothing is drawn in place. */
export function statusChanges(before: StatusPicture, after: StatusPicture, screen: Screen): string[] {
  if (before.state.config.targetVersion !== after.state.config.targetVersion) return statusLines(after, screen);
  const lines = staleChange(before.stale, after.stale);
  const rollout = rolloutLines(after, screen);
  if (rollout.join() !== rolloutLines(before, screen).join()) lines.push(...rollout, ...nextLines(after, screen));
  const told = new Map(standings(before).map((agent) => [agent.agentId, standingWords(agent)]));
  const agents = standings(after);
  const changed = agents.filter((agent) => told.get(agent.agentId) !== standingWords(agent));
  const gone = [...told.keys()].filter((id) => agents.every((agent) => agent.agentId !== id));
  const single = changed.length <= MAX_SINGLE ? changed : changed.filter((agent) => agent.standing === 'failed');
  lines.push(...single.map((agent) => `${visible(agent.agentId, 100)}: ${standingWords(agent)}`));
  lines.push(...gone.map((id) => `${visible(id, 100)}: nothing is known of it any more`));
  if (changed.length > single.length) lines.push(tallyOf(agents, screen.now));
  return lines;
}
