import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { createDoor } from '../../agent/door/door.ts';
import { watchEnsemble } from '../../agent/service/watch-ensemble.ts';
import { ownCredential } from '../../agent/state/own-credential.ts';
import { notePresenceProblem } from '../../agent/state/presence-problem.ts';
import { systemClock as clock, systemRandom as random } from '../../runtime/clock.ts';
import { codes } from '../../runtime/codes.ts';
import { classify } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/log.ts';
import { createMutex } from '../../runtime/mutex.ts';
import { newNonce } from '../../runtime/nonce.ts';
import type { Shutdown } from '../../runtime/shutdown.ts';
import { identityText } from '../../schemas/enrolment.ts';
import type { AgentSettings, Settings } from '../../schemas/settings/settings.ts';
import { openServiceAccess, serviceAccess } from '../../services/access.ts';
import type { FollowedLists } from '../../services/followed-lists.ts';
import { openSession } from '../../zookeeper/open-session.ts';
import type { Membership } from '../../zookeeper/recipes/membership.ts';
import type { Session } from '../../zookeeper/session.ts';
import { ensembleTrouble } from '../shell/ensemble.ts';
import { sessionAccess } from '../shell/session-access.ts';
import { version } from '../version.ts';
import { type CredentialFiles, openCredentialFiles } from './credential-files.ts';
import { fleetSide } from './fleet-side.ts';
import { listsSide } from './lists-side.ts';
import type { LocalAgent } from './local-agent.ts';

const SERVER_ANSWERS_MS = 3_000;

/** What else the session of an agent is used for, besides its deployments. */
interface Beside {
  readonly lists: FollowedLists;
  /** Why the ZooKeeper servers are not one ensemble; null: they are, or it is not known. */
  ensemble(): string | null;
}

/** The other half of an agent: its session, with the credentials of the settings, and everything that uses it. */
export async function joinFleet(
  settings: Settings,
  agent: AgentSettings,
  local: LocalAgent,
  log: Logger,
  shutdown: Shutdown,
  /** The settings as they are now. */
  live: () => AgentSettings = () => agent,
): Promise<ReturnType<typeof fleetSide> & Pick<CredentialFiles, 'changed'> & Beside> {
  const mine = await sessionAccess(settings);
  const { access, session: who } = mine;
  const own = await ownCredential(local.layout.state, agent.id);
  // In the form that people type.
  log.info({ identity: `${agent.id}=${identityText(own.identity)}` }, 'to enrol this agent: gitfleet enrol IDENTITY');
  const files = await openCredentialFiles(settings, mine, own);
  const { connect } = settings.zookeeper;
  const { auth } = files.shown;
  const session = openSession({ connect, ...who, auth, renewCredentials: files.renew, clock, random, log });
  shutdown.add('ZooKeeper session', () => session.close());
  const { instanceId, machineId } = local.ground;
  const card = {
    ...{ agentId: agent.id, instanceId, machineId, pid: process.pid, host: hostname() },
    ...{ labels: agent.labels, agentVersion: version },
  };
  const newSecret = () => randomBytes(16).toString('hex');
  const mechanics = { clock, random, log, shutdown, newNonce, newSecret };
  const { stands, changed } = files;
  const flagsFile = join(local.layout.app, 'flags.json');
  const side = fleetSide({
    session,
    access,
    app: settings.app,
    card,
    own,
    stands,
    live,
    door: doorOf(settings.app, local, live),
    flagsFile,
    ...mechanics,
  });
  await tellPresence(side.membership, local.layout.appState, log);
  shutdown.add('note on the presence', () => notePresenceProblem(local.layout.appState, null));
  const serviceRights = mine.roles === null ? openServiceAccess : serviceAccess(mine.roles, null);
  const { appState } = local.layout;
  const lists = listsSide({ session, access: serviceRights, agent, appState, log, shutdown });
  return { ...side, changed, lists, ensemble: followEnsemble(settings, session, log, shutdown) };
}

function followEnsemble(settings: Settings, session: Session, log: Logger, shutdown: Shutdown): () => string | null {
  const look = () => ensembleTrouble(settings, SERVER_ANSWERS_MS);
  const { trouble, follow } = watchEnsemble({ session, look, clock, random, log });
  const stop = new AbortController();
  void follow(stop.signal);
  shutdown.add('looks at the ensemble', () => stop.abort());
  return trouble;
}

/** If ZooKeeper cannot show why this agent is not online, its own disk does: for `gitfleet agent status`. */
async function tellPresence(membership: Membership, appState: string, log: Logger): Promise<void> {
  const inTurn = createMutex();
  const note = () =>
    inTurn(async () => {
      const { problem, state } = membership;
      const { means, hint } = codes().IMPOSTOR;
      const contested = state === 'contested' ? { code: 'IMPOSTOR', message: means, hint } : null;
      const told = problem ?? contested;
      const now = told && { code: told.code, reason: told.message, hint: told.hint, at: clock.now() };
      await notePresenceProblem(appState, now);
    }).catch((error: unknown) => log.warn({ err: classify(error) }, 'agent status cannot show the presence'));
  membership.onChange(() => void note());
  // Replaces what an earlier process left there.
  await note();
}

/** ssh-keygen needs nothing of the environment but where it is. */
const doorOf = (app: string, { layout, commandPath }: LocalAgent, live: () => AgentSettings) =>
  createDoor({ rules: live, app, appState: layout.appState, ssh: { clock, env: { PATH: commandPath, LC_ALL: 'C' } } });
