import type { AgentView } from '../../fleet/fleet-view.ts';
import { inForce } from '../../schemas/hold.ts';
import type { AgentOutput, StatusOutput } from '../../schemas/json-output.ts';
import { presentProgress } from '../verdict.ts';
import { type StatusPicture, verdictOf } from './status-screen.ts';

/** `gitfleet status --json`. */
export function statusOutputOf(picture: StatusPicture, now: number): StatusOutput {
  const { app, state, fleet, rollout, stale } = picture;
  const { reached, expected } = verdictOf(picture);
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
    reached,
    expected,
    agents: fleet.map((view) => agentOutputOf(view, state.config.targetVersion)),
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
