import { type AgentView, createFleetReader, readAgent, selectedBy } from '../../fleet/fleet-view.ts';
import { readSharedState, type SharedState } from '../../fleet/shared-state.ts';
import { readCoordinator, readRolloutStatus } from '../../publisher/current-rollout.ts';
import { findWayBack } from '../../publisher/rollback.ts';
import { agentLines, presentTargetOf } from '../../publisher/screens/agent-screen.ts';
import { agentOutputOf, statusOutputOf } from '../../publisher/screens/status-output.ts';
import {
  asksForWayBack,
  type Selection,
  type StatusPicture,
  statusLines,
} from '../../publisher/screens/status-screen.ts';
import { presentProgress } from '../../publisher/verdict.ts';
import { systemClock } from '../../runtime/clock.ts';
import type { Deployment } from '../../schemas/deployment.ts';
import type { Settings } from '../../schemas/settings/settings.ts';
import { type Znodes, znodes } from '../../schemas/znodes.ts';
import { summarizeServices } from '../../services/read-list.ts';
import type { Session } from '../../zookeeper/session.ts';
import type { Call } from '../command-table.ts';
import { ensembleTrouble } from '../shell/ensemble.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { withSession } from '../shell/session.ts';
import { readSettings } from '../shell/settings.ts';
import { say, sayJson, screenNow, usage } from '../shell/terminal.ts';
import { timeToShow } from './fleet-time.ts';
import { agentUnknown } from './operands.ts';
import { watchStatus } from './watch-status.ts';

/** `gitfleet status [AGENT]`: exits 0 if the state could be read, whatever it is. */
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
    const asked = timeToShow(session, paths);
    const wayBack = wayBackOf(session, paths);
    const readFleet = createFleetReader(session, paths);
    const trouble = troubleNow(settings);
    const look = async (): Promise<StatusPicture> => {
      const [state, whole, coordinator, ensembleTrouble] = await Promise.all([
        readSharedState(session, paths),
        readFleet(),
        readCoordinator(session, paths),
        trouble(),
      ]);
      const { agents: fleet, notEnrolled, ignored, unread } = whole;
      const led = await readRolloutStatus(session, paths, state.config.targetVersion);
      const selection = selectionOf(
        fleet.filter((view) => !chosen(view)),
        options['selector'],
      );
      const counts = { notEnrolled, ignored, unread };
      const services = await summarizeServices(session, new Set(fleet.map(({ agentId }) => agentId)));
      const beside = { coordinator, ensembleTrouble, services, selection };
      const seen = { app: settings.app, state, fleet: fleet.filter(chosen), ...counts, ...led, ...beside };
      const picture: StatusPicture = { ...seen, stale: null, wayBack: null };
      return asksForWayBack(picture) ? { ...picture, wayBack: await wayBack(state) } : picture;
    };
    const [picture, time] = await Promise.all([look(), asked]);
    if (watched) return await watchStatus(look, picture, json, time);
    if (json) sayJson(statusOutputOf(picture, time.now()));
    else say(...statusLines(picture, screenNow(time.now())));
    return EXIT.converged;
  });
}

/** A server that does not answer delays the status no longer than this. */
const SERVER_ANSWERS_MS = 500;
/** `--watch` looks several times a second; the servers are asked less often. */
const TROUBLE_KEPT_MS = 30_000;

function troubleNow(settings: Settings): () => Promise<string | null> {
  let asked: { readonly at: number; readonly answer: Promise<string | null> } | null = null;
  return async () => {
    const at = systemClock.monotonic();
    if (asked === null || at - asked.at > TROUBLE_KEPT_MS)
      asked = { at, answer: ensembleTrouble(settings, SERVER_ANSWERS_MS) };
    return await asked.answer;
  };
}

function selectionOf(left: readonly AgentView[], selector: unknown): Selection | null {
  const online = left.filter((view) => view.presence).length;
  return selector === undefined ? null : { selector: String(selector), online, offline: left.length - online };
}

/** Where a rollback would go. History is read once per target, because `--watch` looks several times a second. */
function wayBackOf(session: Session, paths: Znodes): (state: SharedState) => Promise<Deployment | null> {
  let known = '';
  let found: Deployment | null = null;
  return async (state) => {
    // A target without a record gets one from the rollback, and only then is it known what came before it.
    if (!state.current) return null;
    const now = `${state.config.targetVersion} ${state.quarantine.version}`;
    if (now !== known || found === null) found = await findWayBack(session, paths);
    known = now;
    return found;
  };
}

async function showAgent(session: Session, paths: Znodes, agentId: string, json: boolean): Promise<number> {
  const [state, view, time] = await Promise.all([
    readSharedState(session, paths),
    readAgent(session, paths, agentId),
    timeToShow(session, paths),
  ]);
  if (!view) throw await agentUnknown(session, paths, agentId);
  if (json) sayJson(agentOutputOf(view, state.config.targetVersion));
  else {
    const failed = presentProgress(view, state.config.targetVersion) === 'failed';
    const wayBack = failed ? await wayBackOf(session, paths)(state) : null;
    say(...agentLines(view, presentTargetOf(state), screenNow(time.now()), wayBack));
  }
  return EXIT.converged;
}
