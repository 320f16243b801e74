import { hostname } from 'node:os';
import { ownCredential } from '../../agent/state/own-credential.ts';
import { systemClock as clock, systemRandom as random } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import { newNonce } from '../../runtime/nonce.ts';
import type { Shutdown } from '../../runtime/shutdown.ts';
import type { AgentSettings, Settings } from '../../schemas/settings/settings.ts';
import { openSession } from '../../zookeeper/open-session.ts';
import { coordinatorAccess, sessionAccess } from '../shell/session-access.ts';
import { version } from '../version.ts';
import { fleetSide } from './fleet-side.ts';
import type { LocalAgent } from './local-agent.ts';

/** The other half of an agent: its session, with the credentials of the settings, and all that rides on it. */
export async function joinFleet(
  settings: Settings,
  agent: AgentSettings,
  local: LocalAgent,
  log: Logger,
  shutdown: Shutdown,
  /** The settings as they are now. */
  live: () => AgentSettings = () => agent,
): Promise<ReturnType<typeof fleetSide>> {
  const mine = await sessionAccess(settings);
  const { access, session: who } = mine;
  const { auth: leading, stands } = await coordinatorAccess(settings, mine);
  const own = await ownCredential(local.layout.state, agent.id);
  const { connect } = settings.zookeeper;
  const auth = [...(who.auth ?? []), own, ...leading];
  const session = openSession({ connect, ...who, auth, clock, random, log });
  shutdown.add('ZooKeeper session', () => session.close());
  const { instanceId, machineId } = local.ground;
  const card = {
    ...{ agentId: agent.id, instanceId, machineId, pid: process.pid, host: hostname() },
    ...{ labels: agent.labels, agentVersion: version },
  };
  const mechanics = { clock, random, log, shutdown, newNonce };
  return fleetSide({ session, access, app: settings.app, card, ownId: own.id, stands, live, ...mechanics });
}
