import { watch } from 'node:fs';
import { runAgent } from '../agent/agent.ts';
import { createChores } from '../agent/chores.ts';
import { type Failpoint, NO_FAILPOINT } from '../agent/failpoints.ts';
import { OVERRIDE_FILE } from '../agent/override.ts';
import { createStanding } from '../agent/standing.ts';
import { systemClock as clock } from '../runtime/clock.ts';
import { classify } from '../runtime/errors.ts';
import { createLog, type Logger } from '../runtime/log.ts';
import { createShutdown, type Shutdown } from '../runtime/shutdown.ts';
import { type AgentSettings, agentSettings, type Settings } from '../schemas/settings.ts';
import { EXIT } from './exit-codes.ts';
import { joinFleet } from './join-fleet.ts';
import { localParts, openLocalAgent } from './local-agent.ts';
import { type Call, version } from './program.ts';
import { readSettings } from './read-settings.ts';

/**
 * `gitfleet agent run`: composes the agent and runs it until SIGTERM or Ctrl-C.
 * @param failpoint only the entry of the crash tests gives one.
 */
export async function run({ options }: Call, failpoint = NO_FAILPOINT): Promise<number> {
  const settings = await readSettings(options);
  const agent = agentSettings(settings);
  const log = createLog({ level: settings.log.level, bindings: { agentId: agent.id } });
  const shutdown = createShutdown((name, error) => log.warn({ err: classify(error) }, `stopping ${name} failed`));
  let asked = 0;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      asked += 1;
      log.info({ signal }, asked === 1 ? 'stopping at the next safe point' : 'stopping now');
      if (asked > 1) process.exit(EXIT.failed);
      shutdown.ask();
    });
  }
  if (process.getuid?.() === 0) log.warn('running as root: give the agent a user of its own');
  if (agent.allowUrls.length === 0) log.warn('no url is allowed, so every target is refused: give --allow-url PREFIX');
  try {
    await serve(settings, agent, log, shutdown, failpoint);
    return EXIT.converged;
  } finally {
    await shutdown.stop();
    log.info('stopped');
  }
}

async function serve(
  settings: Settings,
  agent: AgentSettings,
  log: Logger,
  shutdown: Shutdown,
  failpoint: Failpoint,
): Promise<void> {
  const local = await openLocalAgent(settings, agent, log, shutdown, failpoint);
  const fleet = await joinFleet(settings, agent, local, log, shutdown);
  const parts = localParts(local, settings, agent, log, failpoint);
  const standing = createStanding({ reporter: fleet.reporter, clock, log, agentId: agent.id, agentVersion: version });
  const chores = createChores({
    ...parts,
    retention: { keep: agent.keep, keepFailed: agent.keepFailed, graceMs: agent.grace },
    inspectMs: agent.inspect,
    drift: agent.drift,
    onDrift: standing.drift,
  });
  const onChange = (ring: () => void, interrupt: () => void) => {
    fleet.membership.onChange(ring);
    watchOverride(local.places.appState, interrupt, log, shutdown);
  };
  const { root, state } = local.places;
  log.info({ root, state, app: settings.app, version }, 'agent started');
  const { follow, confirm, blocked } = fleet;
  await runAgent({ ...parts, follow, confirm, blocked, onChange, standing, chores }, shutdown.signal);
}

/** All of a user's inotify instances may be used up by others: the slow tick looks as well. */
function watchOverride(appState: string, interrupt: () => void, log: Logger, shutdown: Shutdown): void {
  const unwatched = (error: unknown) =>
    log.warn({ err: classify(error) }, 'the state directory cannot be watched: agent rollback is obeyed later');
  try {
    const watcher = watch(appState, (_, name) => name === OVERRIDE_FILE && interrupt());
    watcher.on('error', unwatched);
    shutdown.add('watch of the state directory', () => watcher.close());
  } catch (error) {
    unwatched(error);
  }
}
