import { watch } from 'node:fs';
import { runAgent } from '../../agent/agent.ts';
import { type AgentListener, createEmit } from '../../agent/events.ts';
import { createMaintenance } from '../../agent/maintenance.ts';
import { logDeployments } from '../../agent/service/deployment-log.ts';
import type { Liveness } from '../../agent/service/liveness.ts';
import { logText } from '../../agent/service/log-text.ts';
import { reportStatus } from '../../agent/service/status-report.ts';
import { type Failpoint, NO_FAILPOINT } from '../../agent/state/failpoints.ts';
import { OVERRIDE_FILE } from '../../agent/state/override.ts';
import { SUSPENSION_FILE } from '../../agent/state/suspension.ts';
import { patternsOf, preparationKey } from '../../agent/steps/release-file.ts';
import { systemClock as clock } from '../../runtime/clock.ts';
import { classify } from '../../runtime/errors.ts';
import { createLog, type Logger } from '../../runtime/log.ts';
import { lastOf } from '../../runtime/once.ts';
import { createShutdown, type Shutdown } from '../../runtime/shutdown.ts';
import { type AgentSettings, agentSettings, type Settings } from '../../schemas/settings/settings.ts';
import { networkAddresses } from '../../services/host.ts';
import type { Call } from '../command-table.ts';
import { becomeAgentUser } from '../shell/agent-user.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { readSettings } from '../shell/settings.ts';
import { holdSignals, onSignals } from '../shell/signals.ts';
import { version } from '../version.ts';
import { joinFleet } from './join-fleet.ts';
import { localParts, openLocalAgent, stepsSource } from './local-agent.ts';
import { beatOfSession, pulseOf, type ServiceManager, serviceManager } from './pulse.ts';
import { createReload } from './reload.ts';
import { servicesSide } from './services-side.ts';

/**
 * `gitfleet agent run`: composes the agent and runs it until SIGTERM or Ctrl-C. SIGHUP reads the settings again.
 * @param failpoint only the entry of the crash tests gives one.
 */
export async function run({ options }: Call, failpoint = NO_FAILPOINT): Promise<number> {
  holdSignals();
  const read = async () => {
    const settings = await readSettings(options);
    agentSettings(settings);
    return settings;
  };
  const settings = await read();
  await becomeAgentUser(settings.agent.state);
  const log = createLog({ ...logOf(settings), bindings: { agentId: settings.agent.id } });
  const shutdown = createShutdown((name, error) => log.warn({ err: classify(error) }, `stopping ${name} failed`));
  const manager = serviceManager(log);
  const hear = listen(log, manager, shutdown);
  if (process.getuid?.() === 0) log.warn('running as root: give the agent a user of its own');
  if (process.pid === 1)
    log.warn('running as PID 1: use an init (docker run --init), or what steps leave stays as zombies');
  if (settings.agent.allowUrls.length === 0) {
    log.warn('no url is allowed, so every target is refused: give --allow-url PREFIX');
  }
  try {
    await serve({ settings, read, log, shutdown, manager, hear, failpoint });
    return EXIT.converged;
  } finally {
    await shutdown.stop();
    log.info('stopped');
  }
}

/** Text on a terminal, where a person reads it; JSON for a journal, a file and a pipe. */
function logOf({ log: { level, format } }: Settings): Parameters<typeof createLog>[0] {
  const isText = format === 'auto' ? process.stdout.isTTY : format === 'text';
  return isText ? { level, shown: logText } : { level };
}

/** Takes the signals. The returned function sets what a SIGHUP calls, even one that has already arrived. */
function listen(log: Logger, manager: ServiceManager, shutdown: Shutdown): (reload: () => void) => void {
  let stops = 0;
  let early = false;
  let reload = (): void => {
    early = true;
  };
  onSignals((signal) => {
    if (signal === 'SIGHUP') return reload();
    stops += 1;
    log.info({ signal }, stops === 1 ? 'stopping at the next safe point' : 'stopping now');
    if (stops > 1) process.exit(EXIT.failed);
    void manager.tell('STOPPING=1', 'STATUS=stopping at the next safe point');
    shutdown.ask();
  });
  return (now) => {
    reload = now;
    if (early) now();
  };
}

interface Serving {
  readonly settings: Settings;
  readonly read: () => Promise<Settings>;
  readonly log: Logger;
  readonly shutdown: Shutdown;
  readonly manager: ServiceManager;
  readonly hear: (reload: () => void) => void;
  readonly failpoint: Failpoint;
}

async function serve({ settings, read, log, shutdown, manager, hear, failpoint }: Serving): Promise<void> {
  let resync = () => {};
  const onApplied = ({ log: { level } }: Settings) => {
    log.level = level;
    resync();
  };
  let changedFiles = async (): Promise<readonly string[]> => [];
  const reload = createReload({
    running: settings,
    read,
    changedFiles: () => changedFiles(),
    notifier: manager,
    log,
    onApplied,
  });
  const live = lastOf(agentSettings, reload.settings);
  const agent = live();
  const local = await openLocalAgent(settings, agent, log, shutdown, failpoint, undefined, live);
  const fleet = await joinFleet(settings, agent, local, log, shutdown, live);
  resync = fleet.resync;
  changedFiles = fleet.changed;
  const parts = localParts(local, settings, agent, log, failpoint, live);
  const pulse = pulseOf(manager, live, log, shutdown, () => hear(reload.ask));
  const metrics = await metricsOf(settings, agent, pulse, fleet, log, shutdown);
  const report = reportStatus({ reporter: fleet.reporter, clock, agentId: agent.id, agentVersion: version });
  const emit = createEmit({ log: logDeployments(log), report, liveness: pulse.listener, metrics }, log);
  // Getters: a reloaded value applies from its next use.
  const maintenance = createMaintenance({
    ...parts,
    get verifyMs() {
      return live().verifyInterval;
    },
    get drift() {
      return live().drift;
    },
    get generated() {
      return patternsOf(live());
    },
    emit,
  });
  const onChange = (ring: () => void, interrupt: () => void) => {
    fleet.membership.onChange(ring);
    watchOverride(local.layout.appState, interrupt, log, shutdown);
  };
  const rotation = await servicesSide({
    ...{ settings, agent, local, log, shutdown, interfaces: networkAddresses },
    runCommand: parts.steps.check,
    told: (drain) => emit('drained', drain),
  });
  const { root, state } = local.layout;
  log.info({ root, state, app: settings.app, version }, 'agent started');
  const { follow, followRollout, joinedAt, recheck, blocked, originTurn, isCanary, bundles } = fleet;
  const shared = { follow, followRollout, joinedAt, recheck, blocked, originTurn, isCanary, bundles };
  beatOfSession(fleet.answers, pulse, shutdown);
  await runAgent(
    {
      ...parts,
      ...shared,
      rotation,
      onChange,
      emit,
      maintenance,
      get preparation() {
        return preparationKey(stepsSource(live()));
      },
      get generated() {
        return patternsOf(live());
      },
      get resyncMs() {
        return live().resyncInterval;
      },
    },
    shutdown.signal,
  );
}

/** Metrics are loaded only if the settings ask for them. */
async function metricsOf(
  { app }: Settings,
  { listen, listenTokenFile }: AgentSettings,
  pulse: Liveness,
  {
    vitals,
    membership,
    enrolment,
    flags,
    ensemble,
    lists,
  }: Pick<
    Awaited<ReturnType<typeof joinFleet>>,
    'vitals' | 'membership' | 'enrolment' | 'flags' | 'ensemble' | 'lists'
  >,
  log: Logger,
  shutdown: Shutdown,
): Promise<AgentListener> {
  if (!listen) return {};
  const { serveEndpoint } = await import('./endpoint.ts');
  return await serveEndpoint({
    listen,
    tokenFile: listenTokenFile,
    app,
    pulse,
    vitals,
    presence: () => membership,
    ensemble,
    flags,
    lists,
    enrolment: () => enrolment.state,
    log,
    shutdown,
  });
}

/** Other processes may use up all of a user's inotify instances; then the slow tick notices the change. */
function watchOverride(appState: string, interrupt: () => void, log: Logger, shutdown: Shutdown): void {
  const unwatched = (error: unknown) =>
    log.warn({ err: classify(error) }, 'the state directory cannot be watched: agent rollback is obeyed later');
  try {
    const watcher = watch(appState, (_, name) => (name === OVERRIDE_FILE || name === SUSPENSION_FILE) && interrupt());
    watcher.on('error', unwatched);
    shutdown.add('watch of the state directory', () => watcher.close());
  } catch (error) {
    unwatched(error);
  }
}
