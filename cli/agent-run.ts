import { hostname } from 'node:os';
import { join } from 'node:path';
import { runAgent } from '../agent/agent.ts';
import { createChores } from '../agent/chores.ts';
import { confirmWanted } from '../agent/confirm.ts';
import { type Failpoint, NO_FAILPOINT } from '../agent/failpoints.ts';
import { takeGround } from '../agent/ground.ts';
import { readJournal, writeJournal } from '../agent/journal.ts';
import { ownCredential } from '../agent/own-credential.ts';
import { placesOf } from '../agent/place.ts';
import { reconcile } from '../agent/reconcile.ts';
import { createReporter } from '../agent/reporter.ts';
import { createStanding } from '../agent/standing.ts';
import { openStore } from '../git/open-store.ts';
import { systemChance as chance, systemClock as clock } from '../runtime/clock.ts';
import { classify } from '../runtime/errors.ts';
import { clean, createLog, type Logger } from '../runtime/log.ts';
import { createShutdown } from '../runtime/shutdown.ts';
import { toJson } from '../schemas/lenient-json.ts';
import { parsePresence, presence } from '../schemas/report.ts';
import { type AgentSettings, agentSettings, type Settings } from '../schemas/settings.ts';
import { znodes } from '../schemas/znodes.ts';
import { openSession } from '../zookeeper/open-session.ts';
import { joinMembership, type Membership } from '../zookeeper/recipes/membership.ts';
import { EXIT } from './exit-codes.ts';
import { type Call, version } from './program.ts';
import { readSettings } from './read-settings.ts';
import { sessionAccess } from './session-access.ts';

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
  shutdown: ReturnType<typeof createShutdown>,
  failpoint: Failpoint,
): Promise<void> {
  const places = placesOf(agent.root, agent.state, settings.app);
  const ground = await takeGround(places, agent.id);
  shutdown.add('ground', () => ground.release());

  let journal = await reconcile(places, await readJournal(places.appState), clock.now());
  const remember = async (change: (before: typeof journal) => typeof journal) => {
    const next = change(journal);
    await writeJournal(places.appState, next);
    journal = next;
  };
  const commandPath = process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin';
  const store = openStore({
    directory: join(places.appState, 'store.git'),
    credentials: agent.credentials,
    allowProtocols: [...new Set(agent.allowUrls.map((prefix) => prefix.slice(0, prefix.indexOf(':'))))],
    lockFd: ground.lockFd,
    clock,
    chance,
    log,
    path: commandPath,
    rules: agent.content,
    failpoint,
    limits: { silentMs: agent.fetch.silent, totalMs: agent.fetch.total },
  });
  shutdown.add('store', () => store.close());
  await store.recover();

  const paths = znodes(settings.app);
  const allowed = await sessionAccess(settings);
  const own = await ownCredential(places.state, agent.id);
  const session = openSession({
    connect: settings.zookeeper.connect,
    ...allowed.session,
    auth: [...(allowed.session.auth ?? []), own],
    clock,
    chance,
    log,
  });
  shutdown.add('ZooKeeper session', () => session.close());

  const since = clock.now();
  const me = { agentId: agent.id, instanceId: ground.instanceId, machineId: ground.machineId, pid: process.pid };
  const card = { ...me, host: hostname(), labels: agent.labels, agentVersion: version, since };
  const membership = joinMembership(session, {
    path: paths.presence(agent.id),
    instanceId: ground.instanceId,
    machineId: ground.machineId,
    data: () => toJson(presence, card),
    acl: allowed.access.of('presence', own.id),
    clock,
    chance,
    log,
  });
  shutdown.add('presence', () => membership.leave());
  const reporter = createReporter({
    session,
    path: paths.report(agent.id),
    acl: allowed.access.of('report', own.id),
    mayWrite: membership.held,
    clock,
    log,
  });
  shutdown.add('reports', () => reporter.idle());
  membership.onChange(() => {
    if (membership.held()) reporter.repeat();
  });
  // Two servers with one name would deploy while only one of them is counted: the later one waits for its turn.
  const blocked = () =>
    membership.standing === 'refused' ? `the name ${agent.id}, which ${holderWords(membership.holder)} holds` : null;

  const standing = createStanding({ reporter, clock, log, agentId: agent.id, agentVersion: version });
  const spare = store.spare(places.spare);
  const chores = createChores({
    places,
    store,
    spare,
    clock,
    chance,
    log,
    retention: { keep: agent.keep, keepFailed: agent.keepFailed, graceMs: agent.grace },
    inspectMs: agent.inspect,
    drift: agent.drift,
    failpoint,
    generated: agent.generated,
    journal: () => journal,
    remember,
    onDrift: standing.drift,
  });

  log.info({ root: places.root, state: places.state, app: settings.app, version }, 'agent started');
  await runAgent(
    {
      places,
      store,
      spare,
      uid: process.getuid?.() ?? 0,
      clock,
      chance,
      log,
      app: settings.app,
      activate: agent.activate ? { command: agent.activate.command, timeoutMs: agent.activate.timeout } : null,
      commandPath,
      failpoint,
      journal: () => journal,
      remember,
      confirm: (wanted, signal) => confirmWanted(session, paths, wanted, signal),
      desired: {
        session,
        path: paths.config,
        rereadMs: agent.reread,
        policy: () => ({ allow: agent.allowUrls }),
        log,
        clock,
        chance,
      },
      rereadMs: agent.reread,
      chores,
      blocked,
      onUnblock: (ring) => {
        membership.onChange(ring);
      },
      standing,
    },
    shutdown.signal,
  );
}

function holderWords(holder: Membership['holder']): string {
  const card = holder && parsePresence(holder.data);
  return card ? `process ${card.pid} on ${clean(card.host, 100)}` : 'somebody unknown';
}
