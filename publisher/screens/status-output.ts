import type { AgentView } from '../../fleet/fleet-view.ts';
import { visible } from '../../runtime/safe-text.ts';
import { inForce } from '../../schemas/hold.ts';
import type { AgentOutput, StatusOutput } from '../../schemas/json-output.ts';
import { presentProgress } from '../verdict.ts';
import { MAX_SINGLE, tallyOf } from './agent-table.ts';
import type { Screen } from './columns.ts';
import { presentSpread } from './cutover-words.ts';
import { staleChange } from './stale-lines.ts';
import { nextLines, rolloutLines, type StatusPicture, standings, statusLines, verdictOf } from './status-screen.ts';
import { standingWords } from './words.ts';

/** `gitfleet status --json`. */
export function statusOutputOf(picture: StatusPicture, now: number): StatusOutput {
  const { app, state, fleet, rollout, stale, ignored = 0, unread = 0 } = picture;
  const { reached, expected } = verdictOf(picture);
  const spread = presentSpread(fleet, state.config.targetVersion);
  return {
    app,
    target: state.config.target && coreOf(state.config.target),
    targetVersion: state.config.targetVersion,
    refused: state.config.refused,
    deployment: state.current,
    hold: inForce(state.hold.value, now),
    rollout: rollout && {
      ...{ state: rollout.state, wave: rollout.wave, members: rollout.members, reason: rollout.reason },
      paused: rollout.paused,
    },
    coordinator: picture.coordinator ?? null,
    ensembleTrouble: picture.ensembleTrouble ?? null,
    ...(spread ? { cutover: spread } : {}),
    services: (picture.services ?? []).map((each) => ({ ...each })),
    reached,
    expected,
    agents: fleet.map((view) => agentOutputOf(view, state.config.targetVersion)),
    ignored,
    unread,
    notEnrolled: [...picture.notEnrolled],
    stale: stale && { since: stale.since, reason: stale.reason },
  };
}

/** `gitfleet status AGENT --json`. */
export const agentOutputOf = (view: AgentView, targetVersion: string): AgentOutput => ({
  ...view,
  standing: presentProgress(view, targetVersion),
});

const coreOf = ({ url, commitId, relativePath }: { url: string; commitId: string; relativePath: string }) => ({
  url,
  commitId,
  relativePath,
});

/** The changes between two pictures, one plain line each: for logs, where nothing is redrawn in place. */
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
