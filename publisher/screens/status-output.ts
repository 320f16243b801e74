import type { AgentView } from '../../fleet/fleet-view.ts';
import { isRecorded } from '../../fleet/shared-state.ts';
import { deployment } from '../../schemas/deployment.ts';
import { parseHold } from '../../schemas/hold.ts';
import type { AgentOutput, StatusOutput } from '../../schemas/json-output.ts';
import { ANY_URL, parseTarget } from '../../schemas/target.ts';
import { presentProgress } from '../verdict.ts';
import { type StatusPicture, verdictOf } from './status-screen.ts';

/** `gitfleet status --json`. */
export function statusOutputOf(picture: StatusPicture, now: number): StatusOutput {
  const { app, state, fleet, rollout, stale } = picture;
  const wanted = state.config.data.length === 0 ? null : parseTarget(state.config.data, ANY_URL);
  const { reached, expected } = verdictOf(picture);
  return {
    app,
    target: wanted?.ok ? coreOf(wanted.target) : null,
    targetVersion: state.config.targetVersion,
    refused: wanted && !wanted.ok ? wanted.failure : null,
    // Parsed again, so that what only this process knows of the znode stays out.
    deployment: isRecorded(state) ? deployment.parse(state.lastRecord) : null,
    hold: parseHold(state.hold.data, now).value,
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
