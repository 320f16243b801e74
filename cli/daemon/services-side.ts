import { readLeft } from '../../agent/services/left-by-hand.ts';
import { NO_ROTATION, type Rotation } from '../../agent/services/rotation.ts';
import { readSavedSession, writeSavedSession } from '../../agent/services/saved-session.ts';
import { type ServeParts, serveServices } from '../../agent/services/serve.ts';
import { systemClock as clock, systemRandom as random } from '../../runtime/clock.ts';
import { classify } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/log.ts';
import { run } from '../../runtime/process.ts';
import type { Shutdown } from '../../runtime/shutdown.ts';
import type { AgentSettings, Settings } from '../../schemas/settings/settings.ts';
import { openServiceAccess, registrarIn, serviceAccess } from '../../services/access.ts';
import { type AuthEntry, type Handshake, openSession } from '../../zookeeper/open-session.ts';
import { readAuth, sessionAccess } from '../shell/session-access.ts';
import type { LocalAgent } from './local-agent.ts';

type ServicesSideParts = Pick<ServeParts, 'runCommand' | 'told' | 'interfaces'> & {
  readonly settings: Settings;
  readonly agent: AgentSettings;
  readonly local: LocalAgent;
  readonly log: Logger;
  readonly shutdown: Pick<Shutdown, 'add' | 'signal'>;
};

/**
 * The services of this server. They have a session of their own, which outlives this process: a restart of the agent
 * removes no registration, while everything else that an agent holds (its presence, a lease, its place in the election)
 * must not outlive it. At the shutdown of the machine the session is closed, because the services end too.
 * @throws FleetError SETTINGS, HOST_UNKNOWN
 */
export async function servicesSide(parts: ServicesSideParts): Promise<Rotation> {
  const { settings, agent, local, log, shutdown } = parts;
  const { appState } = local.layout;
  const saved = await readSavedSession(appState);
  const here = saved?.connect === settings.zookeeper.connect ? saved : null;
  if (agent.services.length === 0 && !here?.services.length) return NO_ROTATION;
  const mine = await sessionAccess(settings);
  const registrars = await registrarsOf(agent, mine.session.auth ?? []);
  const names = [...new Set(agent.services.map(({ name }) => name))];
  const keep = (handshake: Handshake) => {
    const next = { connect: settings.zookeeper.connect, handshake, services: names };
    writeSavedSession(appState, next).catch((error: unknown) =>
      log.warn({ err: classify(error) }, 'a restart of the agent will end its registrations'),
    );
  };
  const session = openSession({
    ...{ connect: settings.zookeeper.connect, ...mine.session, auth: registrars.auth, clock, random, log },
    renewCredentials: undefined,
    resume: here?.handshake,
    onSession: keep,
  });
  const stop = new AbortController();
  const { machineId } = local.ground;
  const { runCommand, told, interfaces } = parts;
  const { rotation, ended } = serveServices(
    {
      ...{ session, services: agent.services, before: here?.services ?? [], agentId: agent.id, machineId },
      access: (name) =>
        mine.roles === null ? openServiceAccess : serviceAccess(mine.roles, registrars.by.get(name) ?? null),
      ...{
        labels: agent.labels,
        interfaces,
        journal: local.journal,
        readLeft: () => readLeft(appState),
        runCommand,
        told,
        clock,
        random,
        log,
      },
    },
    stop.signal,
  );
  shutdown.add('services', async () => {
    stop.abort();
    await ended;
    if (await machineStops()) await session.close();
    else session.detach();
  });
  return rotation;
}

/** The credential of each service, and all of them together for the one session. */
async function registrarsOf({ services }: AgentSettings, others: readonly AuthEntry[]) {
  const by = new Map<string, string | null>();
  const auth = [...others];
  for (const { name, authFile } of services) {
    if (authFile === undefined) continue;
    const own = (await readAuth(authFile)).auth;
    by.set(name, registrarIn(own));
    auth.push(...own.filter((each) => !auth.some(({ credential }) => credential === each.credential)));
  }
  return { by, auth };
}

const ASK_MS = 1_000;

/** Whether the whole machine is shutting down, according to systemd. Without systemd that is not known, so false. */
async function machineStops(): Promise<boolean> {
  const result = await run(['systemctl', 'is-system-running'], {
    ...{ env: { PATH: '/usr/bin:/bin' }, clock, timeoutMs: ASK_MS, maxBytes: 200, keep: 'tail' },
  });
  return result.stdout.toString('utf8').trim() === 'stopping';
}
