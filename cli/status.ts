import { type AgentView, readAgent, readFleet } from '../fleet/fleet-view.ts';
import { readSharedState } from '../fleet/shared-state.ts';
import { agentLines, presentTargetOf } from '../publisher/agent-screen.ts';
import { selectedBy } from '../publisher/selection.ts';
import { agentOutputOf, statusOutputOf } from '../publisher/status-output.ts';
import { type Selection, type StatusPicture, statusLines } from '../publisher/status-screen.ts';
import { systemClock } from '../runtime/clock.ts';
import { parseRollout } from '../schemas/rollout.ts';
import { type Znodes, znodes } from '../schemas/znodes.ts';
import type { Session } from '../zookeeper/session.ts';
import { EXIT } from './exit-codes.ts';
import { agentUnknown } from './known-agent.ts';
import type { Call } from './program.ts';
import { readSettings } from './read-settings.ts';
import { say, screenNow, usage } from './terminal.ts';
import { watchStatus } from './watch-status.ts';
import { withSession } from './with-session.ts';

/** `gitfleet status [AGENT]`: exits 0 when it could be read, whatever it shows. */
export async function run({ options, words }: Call): Promise<number> {
  const [agentId] = words;
  const watched = options['watch'] === true;
  const json = options['json'] === true;
  if (agentId !== undefined && (watched || options['selector'] !== undefined))
    throw usage(
      '--watch and --selector are for the whole fleet',
      `gitfleet status --watch, or gitfleet status ${agentId}`,
    );
  const chosen = selectedBy(options['selector']);
  const settings = await readSettings(options);
  return await withSession(settings, async (session) => {
    const paths = znodes(settings.app);
    if (agentId !== undefined) return await showAgent(session, paths, agentId, json);
    const look = async (): Promise<StatusPicture> => {
      const [state, fleet, node] = await Promise.all([
        readSharedState(session, paths),
        readFleet(session, paths),
        session.get(paths.rollout),
      ]);
      const found = node && parseRollout(node.data);
      const rollout = found?.permits && found.targetVersion === state.config.targetVersion ? found : null;
      const selection = selectionOf(
        fleet.filter((view) => !chosen(view)),
        options['selector'],
      );
      return { app: settings.app, state, fleet: fleet.filter(chosen), rollout, selection, stale: null };
    };
    if (watched) return await watchStatus(look, json);
    const picture = await look();
    if (json) say(JSON.stringify(statusOutputOf(picture, systemClock.now())));
    else say(...statusLines(picture, screenNow(systemClock.now())));
    return EXIT.converged;
  });
}

function selectionOf(left: readonly AgentView[], selector: unknown): Selection | null {
  const online = left.filter((view) => view.presence).length;
  return selector === undefined ? null : { selector: String(selector), online, offline: left.length - online };
}

async function showAgent(session: Session, paths: Znodes, agentId: string, json: boolean): Promise<number> {
  const [state, view] = await Promise.all([readSharedState(session, paths), readAgent(session, paths, agentId)]);
  if (!view) throw await agentUnknown(session, paths, agentId);
  if (json) say(JSON.stringify(agentOutputOf(view, state.config.targetVersion)));
  else {
    say(...agentLines(view, presentTargetOf(state), screenNow(systemClock.now())));
  }
  return EXIT.converged;
}
