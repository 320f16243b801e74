import { isOpen } from '../../fleet/access.ts';
import { type AgentView, createFleetReader, type Fleet } from '../../fleet/fleet-view.ts';
import { publishRefusal, wrongRights } from '../../fleet/rights.ts';
import { type ConfigContent, parseConfig } from '../../fleet/shared-state.ts';
import { CLOSE_NEXT } from '../../publisher/screens/enrolment-lines.ts';
import { count, names } from '../../publisher/screens/words.ts';
import { systemClock as clock, systemRandom } from '../../runtime/clock.ts';
import { createLog } from '../../runtime/log.ts';
import type { Settings } from '../../schemas/settings/settings.ts';
import type { Target } from '../../schemas/target.ts';
import { type Znodes, znodes } from '../../schemas/znodes.ts';
import { parseConnectString } from '../../zookeeper/connect-string.ts';
import { openSession } from '../../zookeeper/open-session.ts';
import type { Session } from '../../zookeeper/session.ts';
import {
  CLOSED_AT_ONCE,
  judgeRoles,
  type ServerStatus,
  serverName,
  serverStatus,
} from '../../zookeeper/wire/four-letter.ts';
import { explainRefusal } from '../shell/access.ts';
import { type SessionAccess, sessionAccess } from '../shell/session-access.ts';
import { checkClocks, notCompared } from './clocks.ts';
import { type Finding, failed, fromError, ok, warning } from './finding.ts';
import { checkServices } from './services.ts';
import { signatureFindings } from './signatures.ts';

const ANSWER_MS = 10_000;

interface Coordination {
  readonly findings: readonly Finding[];
  /** The app's current target, if it can be read. */
  readonly target: Target | null;
}

/** Checks the servers one by one, a session with our credential, the rights of the app's znodes, and the clocks. */
export async function checkCoordination(settings: Settings, serves: boolean): Promise<Coordination> {
  const servers = await checkServers(settings);
  const allowed = await sessionAccess(settings).catch((error: unknown) => fromError('credential', error));
  if ('verdict' in allowed) return { findings: [...servers, allowed], target: null };
  const session = openSession({
    connect: settings.zookeeper.connect,
    ...allowed.session,
    ...{ clock, random: systemRandom, log: createLog({ level: 'silent' }) },
  });
  try {
    const connecting = clock.monotonic();
    const { timeoutMs } = await session.connected(AbortSignal.timeout(ANSWER_MS));
    const ms = Math.round(clock.monotonic() - connecting);
    const found = await checkApp(settings, session, allowed, serves);
    const services = await checkServices(settings, session, allowed.roles !== null);
    return {
      ...found,
      findings: [
        ...servers,
        sessionFinding(ms, settings.zookeeper.sessionTimeout, timeoutMs),
        ...found.findings,
        ...services,
      ],
    };
  } catch (error) {
    const clocks = notCompared('it gives no session', 'run it again once ZooKeeper answers');
    return { findings: [...servers, noSession(session, settings, error), clocks], target: null };
  } finally {
    await session.close();
  }
}

/**
 * The servers decide the timeout, within their own limits. It determines how soon an agent that is gone counts as
 * offline.
 */
function sessionFinding(ms: number, askedMs: number, grantedMs: number): Finding {
  if (grantedMs === askedMs) return ok('session', `connected in ${ms} ms, session timeout ${grantedMs / 1_000} s`);
  const says = `connected in ${ms} ms; session timeout ${grantedMs / 1_000} s, though ${askedMs / 1_000} s were asked for`;
  const hint = 'the servers allow no other: see minSessionTimeout, maxSessionTimeout and tickTime in their zoo.cfg';
  return warning('session', says, hint);
}

function noSession(session: Session, { zookeeper }: Settings, error: unknown): Finding {
  if (session.state === 'closed') return fromError('session', error);
  const trouble = session.vitals().trouble ?? 'no server has answered';
  return failed(
    'session',
    `no session within ${ANSWER_MS / 1_000} s: ${trouble}`,
    `see who answers: gitfleet zk status -z ${zookeeper.connect}`,
  );
}

async function checkServers({ zookeeper }: Settings): Promise<Finding[]> {
  const { hosts } = parseConnectString(zookeeper.connect);
  // With TLS this port does not answer administrative commands. The session below shows whether the servers work.
  if (zookeeper.tls) return [];
  const statuses = await serverStatus(hosts, { timeoutMs: 3_000, clock });
  const away = statuses.filter(({ role }) => role === 'unreachable');
  const quiet = away.filter(({ reason }) => /whitelist/.test(reason ?? ''));
  const findings = statuses.map((status): Finding => {
    if (status.role !== 'unreachable')
      return ok('zookeeper', `${serverName(status)} is ${status.role}, version ${status.version ?? 'unknown'}`);
    if (quiet.includes(status))
      return warning(
        'zookeeper',
        `${serverName(status)} does not say its role`,
        'allow it: 4lw.commands.whitelist=srvr,ruok',
      );
    const hint = hintFor(status);
    return (away.length - quiet.length) * 2 > hosts.length
      ? failed('zookeeper', `${serverName(status)} does not answer: ${status.reason ?? ''}`, hint)
      : warning('zookeeper', `${serverName(status)} does not answer: ${status.reason ?? ''}`, hint);
  });
  const { trouble, notes } = judgeRoles(statuses);
  const hint = 'see docs/zookeeper.md, how to run servers for a fleet';
  return [
    ...findings,
    ...trouble.map((each) => failed('ensemble', each, hint)),
    ...notes.map((each) => warning('ensemble', each, hint)),
  ];
}

/** A server that accepts the connection and closes it is running: starting it would not help. */
const hintFor = ({ reason = '' }: ServerStatus): string =>
  reason.startsWith(CLOSED_AT_ONCE)
    ? 'raise maxClientCnxns in its zoo.cfg; or this port is the one for TLS (secureClientPort)'
    : 'start it, or correct its name in zookeeper.connect; the fleet needs a majority of the servers';

async function checkApp(
  settings: Settings,
  session: Session,
  allowed: SessionAccess,
  serves: boolean,
): Promise<Coordination> {
  const paths = znodes(settings.app);
  try {
    const wrong = await wrongRights(session, paths, allowed.access);
    if (wrong.some(({ path, how }) => path === paths.config && how === 'missing')) {
      const hint = `run once: gitfleet init --app ${settings.app} (check --zookeeper, a chroot included)`;
      return { findings: [failed('app', `${settings.app} is not set up on this ZooKeeper`, hint)], target: null };
    }
    const [fleet, config, skew, publishing] = await Promise.all([
      createFleetReader(session, paths)(),
      session.get(paths.config),
      checkClocks(session, paths, allowed, settings.zookeeper.connect),
      serves ? [] : checkPublishing(settings, session, paths),
    ]);
    const judged = parseConfig(config?.data ?? Buffer.alloc(0));
    return {
      findings: [
        ...rightsFindings(settings, wrong, allowed),
        ...publishing,
        targetFinding(paths, judged),
        ...falsePresences(fleet.agents),
        ...unseen(fleet, paths),
        ...enrolmentFindings(fleet, allowed),
        ...signatureFindings(fleet.agents, settings),
        skew,
      ],
      target: judged.target,
    };
  } catch (error) {
    return { findings: [fromError('app', explainRefusal(error, settings, allowed))], target: null };
  }
}

/** Such a node keeps its agent offline. Without a session, it does so until it is removed. */
const falsePresences = (fleet: readonly AgentView[]): Finding[] =>
  fleet
    .filter((view) => view.falsePresence)
    .map(({ agentId }) =>
      failed(
        'presence',
        `a node that agent ${agentId} did not make is at its name`,
        `remove it: gitfleet forget ${agentId}`,
      ),
    );

/** Nodes and agents that everything that reads the fleet leaves out. */
function unseen({ ignored, unread }: Fleet, { online, agents }: Znodes): Finding[] {
  const hint = `look with a ZooKeeper client at the children of ${online} and ${agents}, and remove what is no agent's`;
  return [
    ...(ignored > 0
      ? [
          warning(
            'agents',
            `${ignored === 1 ? '1 node is ignored: its name is' : `${ignored} nodes are ignored: their names are`} no agent's`,
            hint,
          ),
        ]
      : []),
    ...(unread > 0 ? [warning('agents', `${unread} agents are not read: more than 10,000 are too many`, hint)] : []),
  ];
}

/** For an app that is open as a whole, the finding about rights says enough. */
function enrolmentFindings({ enrolment, notEnrolled }: Fleet, { access }: SessionAccess): Finding[] {
  if (isOpen(access.of('app'))) return [];
  const findings: Finding[] = [];
  if (enrolment.unreadable !== null)
    findings.push(failed('enrolment', enrolment.unreadable, 'say it again: gitfleet enrol --close'));
  else if (enrolment.isOpen)
    findings.push(warning('enrolment', 'open: every holder of agent.auth can be any agent', CLOSE_NEXT));
  else findings.push(ok('enrolment', `closed: ${count(enrolment.agents.size, 'agent')} enrolled`));
  if (notEnrolled.length > 0) {
    const hint = 'enter what is yours: gitfleet enrol AGENT=IDENTITY; remove the rest: gitfleet forget AGENT';
    findings.push(warning('enrolment', `not enrolled: ${names(notEnrolled)}`, hint));
  }
  return findings;
}

function rightsFindings(
  settings: Settings,
  wrong: Awaited<ReturnType<typeof wrongRights>>,
  { access, session }: SessionAccess,
): Finding[] {
  const open = isOpen(access.of('app'));
  const who = (session.auth ?? []).map(({ credential }) => credential.split(':')[0]).join(', ');
  const as = who === '' ? 'anonymous' : who;
  const names = (how: (typeof wrong)[number]['how']) => wrong.filter((one) => one.how === how).map(({ path }) => path);
  const close = names('open').includes(settings.app) ? ' --close' : '';
  const again = `gitfleet init${close} --app ${settings.app} gives every znode its rights again`;
  const some = (paths: readonly string[]) => `${paths.slice(0, 5).join(', ')}${paths.length > 5 ? ' ...' : ''}`;
  const findings: Finding[] = [];
  if (open && names('differs').length > 0) {
    const hint = 'name a credential file of gitfleet init as zookeeper.authFile, or GITFLEET_AUTH_FILE';
    findings.push(failed('rights', `${settings.app} has access rights, and no credential is given here`, hint));
  } else if (open) {
    const hint = 'fine for trials; else: gitfleet init --close --credentials DIR';
    findings.push(warning('rights', 'everyone who reaches this ZooKeeper can deploy', hint));
  } else if (names('differs').length > 0) {
    findings.push(failed('rights', `other rights than init gives: ${some(names('differs'))}`, again));
  }
  if (names('open').length > 0) findings.push(failed('rights', `everyone may change ${some(names('open'))}`, again));
  if (names('missing').length > 0) findings.push(failed('rights', `missing: ${some(names('missing'))}`, again));
  if (findings.length === 0) findings.push(ok('rights', `as init gives them; we are ${as}`));
  return findings;
}

/** A server's credential need not publish. A machine without a root is for nothing else. */
async function checkPublishing({ agent }: Settings, session: Session, paths: Znodes): Promise<Finding[]> {
  if (agent.root !== undefined) return [];
  if ((await publishRefusal(session, paths)) === null) return [ok('publish', 'this credential may publish')];
  const hint =
    'to publish, give publisher.auth of gitfleet init: --auth-file or GITFLEET_AUTH_FILE; to read, this credential is enough';
  return [failed('publish', 'this credential may read, but not publish', hint)];
}

function targetFinding(paths: Znodes, judged: ConfigContent): Finding {
  const { target, refused } = judged;
  if (target) return ok('target', `${target.commitId.slice(0, 12)} at ${target.relativePath}`);
  if (!refused) return ok('target', 'nothing published yet');
  const { code, reason, hint } = refused;
  return failed('target', `${paths.config} is refused by every agent: ${code} ${reason}`, hint);
}
