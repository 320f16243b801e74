import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, rm, rmdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type Access, openAccess, ROLES, roleAccess } from '../../fleet/access.ts';
import { initApp, onlineInOpenApp } from '../../fleet/app.ts';
import { laterRoles, makeCredentials, parseCredentials } from '../../fleet/enrolment/credentials.ts';
import { isMetBy } from '../../fleet/enrolment/digest-check.ts';
import { QUOTA, setQuota } from '../../fleet/enrolment/quota.ts';
import { bindPlain } from '../../fleet/flags/plain-flags.ts';
import { closePlain } from '../../fleet/flags/plain-rights.ts';
import { checkValuePath, refuseAbove, refuseInApp } from '../../fleet/values.ts';
import { count } from '../../publisher/screens/words.ts';
import { systemClock } from '../../runtime/clock.ts';
import { writeDurably } from '../../runtime/durable-file.ts';
import { classify, FleetError } from '../../runtime/errors.ts';
import { newNonce } from '../../runtime/nonce.ts';
import { parseEnrolment } from '../../schemas/enrolment.ts';
import type { Settings } from '../../schemas/settings/settings.ts';
import { APP_ZNODE, znodes } from '../../schemas/znodes.ts';
import { parseConnectString } from '../../zookeeper/connect-string.ts';
import { isCode } from '../../zookeeper/errors.ts';
import type { Session } from '../../zookeeper/session.ts';
import type { Call } from '../command-table.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { withSession } from '../shell/session.ts';
import { readSettings } from '../shell/settings.ts';
import { say, sayJson, usage } from '../shell/terminal.ts';
import { type InitService, initServices, servicesOf } from './init-services.ts';

/**
 * `gitfleet init`: creates what an app needs, with rights for each role and a credential file for it; with `--open`,
 * without rights, for trials. Running it again changes no content, and uses the credential files that exist. Only
 * `--close` closes an open app, because its users then need credentials.
 */
export async function run({ options }: Call): Promise<number> {
  const wanted = servicesOf(options['service']);
  const given = await readSettings(options);
  const open = options['open'] === true;
  if (open && options['close'] === true) throw usage('--open and --close are opposites', 'give one of them');
  if (!open && options['close'] !== true) await refuseOpenApp(given);
  const directory = open ? null : resolve(String(options['credentials'] ?? 'gitfleet-credentials'));
  const credentials = directory === null ? null : await writeCredentials(directory);
  const settings = credentials === null ? given : asOperator(given, credentials.operator);
  return await withSession(settings, async (session) => {
    const roles = directory === null ? null : await rolesOf(fileOf(directory, 'operator'));
    const access = roles === null ? openAccess : roleAccess(roles);
    if (roles !== null) {
      await refuseOtherDigest(session, settings.app, roles.operator).catch(async (error: unknown) => {
        await credentials?.remove();
        throw error;
      });
    }
    const result = await initApp(session, znodes(settings.app), access).catch(async (error: unknown) => {
      if (!isCode(error, 'NO_AUTH')) throw error;
      await credentials?.remove();
      throw otherCredentials(await nearest(session, error.path), error.path, directory);
    });
    if (options['close'] === true) await closePlain({ session, znodes: znodes(settings.app), access });
    const plain = options['plainFlags'] as string | undefined;
    if (plain !== undefined) await showPlain(session, settings.app, access, plain);
    const quota = await quotaOf(settings, access);
    const enrolment = parseEnrolment((await session.get(znodes(settings.app).enrolment))?.data ?? Buffer.alloc(0));
    const services = await initServices(session, wanted, directory, roles);
    if (options['json']) {
      const enrolmentOpen = enrolment.isOpen;
      sayJson({ ...result, credentials: directory, enrolmentOpen, quota, services });
    } else say(...words(settings.app, result, directory, enrolment.isOpen, quota), ...services.map(serviceWords));
    return EXIT.converged;
  });
}

/** `--plain-flags /app/features`: shows flags that are on or off there, for programs that know only ZooKeeper. */
async function showPlain(session: Session, app: string, access: Access, directory: string): Promise<void> {
  if (!APP_ZNODE.test(directory) || `${directory}/`.startsWith(`${app}/`) || app.startsWith(`${directory}/`)) {
    throw usage(`--plain-flags ${directory} is no znode path outside ${app}`, 'such as: --plain-flags /app/features');
  }
  checkValuePath(directory);
  await refuseInApp(session, directory);
  // A flag with the name of an app would create nodes in that app.
  await refuseAbove(session, directory, true);
  await bindPlain({ session, znodes: znodes(app), access, now: () => systemClock.now() }, directory);
}

/** If the servers or foreign rights prevent it, the app works without a quota. */
async function quotaOf(settings: Settings, access: Access): Promise<string> {
  const { connect } = settings.zookeeper;
  const { chroot } = parseConnectString(connect);
  const hosts = chroot === '' ? connect : connect.slice(0, connect.indexOf('/'));
  const beside: Settings = Object.create(settings, { zookeeper: { value: { ...settings.zookeeper, connect: hosts } } });
  try {
    return await withSession(beside, async (session) =>
      (await setQuota(session, `${chroot}${settings.app}`, access.of('app')))
        ? `${QUOTA.znodes} znodes, ${QUOTA.bytes / 1e6} MB; above it the servers log a warning`
        : 'as it was set before',
    );
  } catch (error) {
    const { code, message } = classify(error);
    return `none, since it could not be set (${code} ${message})`;
  }
}

async function refuseOpenApp(settings: Settings): Promise<void> {
  const online = await withSession(settings, (session) => onlineInOpenApp(session, znodes(settings.app)));
  if (online === null) return;
  const agents = online === 0 ? '' : `, ${count(online, 'agent')} online`;
  throw FleetError.of(
    'APP_OPEN',
    `${settings.app} is open${agents}: with access rights, clients without a credential file lose access`,
  );
}

const fileOf = (directory: string, role: string): string => join(directory, `${role}.auth`);

/** The node, or its nearest existing parent. ZooKeeper tells every client whether a node exists. */
async function nearest(session: Session, path: string): Promise<string> {
  if (path === '' || (await session.exists(path))) return path || '/';
  return await nearest(session, path.slice(0, path.lastIndexOf('/')));
}

/** Called before the first znode is created: one with rights that no client can have would stay for ever. */
async function refuseOtherDigest(session: Session, app: string, id: string): Promise<void> {
  const above = await nearest(session, app.slice(0, app.lastIndexOf('/')));
  const met = await isMetBy(session, id, above === '/' ? ['/'] : [above, '/'], newNonce());
  if (met !== false) return;
  const reason = 'ZooKeeper does not count our credential as the one that access lists would name';
  throw FleetError.of('DIGEST_ALGORITHM', reason);
}

function otherCredentials(there: string, wanted: string, directory: string | null): FleetError {
  const ours = directory === null ? '--open, which brings none' : `those of ${directory}`;
  if (there === wanted) {
    return usage(
      `${there} was set up with other credentials than ${ours}`,
      'give the directory that init wrote at that time: gitfleet init --credentials DIR; or choose another --app',
    );
  }
  return usage(
    `${wanted} cannot be made: ${there} belongs to an app with other credentials than ${ours}`,
    `give the credentials that made ${there}: gitfleet init --credentials DIR; or choose an --app outside ${there}`,
  );
}

interface Credentials {
  /** The operator's file. */
  readonly operator: string;
  /** Removes the files that were created here, whose credentials no znode knows. */
  remove(): Promise<void>;
}

/** Existing files are kept: the znodes know their credentials. */
async function writeCredentials(directory: string): Promise<Credentials> {
  const made = await mkdir(directory, { recursive: true, mode: 0o700 });
  if (made !== undefined) await chmod(directory, 0o700);
  const operator = fileOf(directory, 'operator');
  const there = await readFile(operator, 'utf8').catch(() => null);
  if (there === null) {
    const files = makeCredentials(() => randomBytes(24).toString('base64url'));
    // The operator's file last: while it is missing, an interrupted run starts over.
    for (const role of [...ROLES].reverse()) await writeDurably(fileOf(directory, role), files[role], 0o600);
  } else await addLaterRoles(directory, there);
  const remove = async () => {
    if (there !== null) return;
    for (const role of ROLES) await rm(fileOf(directory, role), { force: true });
    if (made !== undefined) await rmdir(directory).catch(() => {});
  };
  return { operator, remove };
}

/**
 * Adds the roles of this version to credential files of an earlier one; the operator's file last, which the next run
 * checks.
 */
async function addLaterRoles(directory: string, operator: string): Promise<void> {
  const parsed = parseCredentials(operator);
  if (!('roles' in parsed) || parsed.roles === null) return;
  const { lines, files } = laterRoles(operator, () => randomBytes(24).toString('base64url'));
  if (lines === '') return;
  for (const [role, text] of Object.entries(files)) await writeDurably(fileOf(directory, role), text, 0o600);
  for (const role of [...ROLES].reverse().filter((each) => files[each] === undefined)) {
    const text = await readFile(fileOf(directory, role), 'utf8').catch(() => null);
    if (text !== null) await writeDurably(fileOf(directory, role), `${text.trimEnd()}\n${lines}`, 0o600);
  }
}

async function rolesOf(file: string) {
  const parsed = parseCredentials(await readFile(file, 'utf8'));
  if ('roles' in parsed && parsed.roles) return parsed.roles;
  throw usage(`${file} is not a credential file of init`, 'move it away if you do not need it, and run init again');
}

/** A plain copy would evaluate the agent's settings, which may be invalid and do not matter here. */
const asOperator = (settings: Settings, authFile: string): Settings =>
  Object.create(settings, { zookeeper: { value: { ...settings.zookeeper, authFile } } });

function words(
  app: string,
  result: Awaited<ReturnType<typeof initApp>>,
  directory: string | null,
  enrolmentOpen: boolean,
  quota: string,
): string[] {
  const count = `${app}: ${result.made.length} znodes created, ${result.present.length} existed already`;
  if (directory === null) {
    return [
      count,
      `quota: ${quota}`,
      'open: everyone who reaches this ZooKeeper can deploy',
      'nothing is required of a commit: who can write config chooses it; to require a signature or a branch: docs/security.md',
      'next: gitfleet agent run, then gitfleet publish',
    ];
  }
  return [
    count,
    `credentials in ${directory}, readable by you alone; give each place only its own:`,
    '  agent.auth        every server, as zookeeper.authFile in its settings',
    '  publisher.auth    people who publish, and the git host: GITFLEET_AUTH_FILE',
    '  coordinator.auth  servers that may lead rollouts, besides agent.auth',
    '  flagger.auth      people who switch flags, and nothing else',
    '  server.auth       gitfleet serve, and nothing else',
    '  viewer.auth       read only',
    '  operator.auth     you: keep it safe, it has all rights',
    `quota: ${quota}`,
    enrolmentOpen
      ? 'enrolment is open: every holder of agent.auth can be any agent; to close it: gitfleet enrol --online --close'
      : 'enrolment is closed: only agents that gitfleet enrol lists count',
    'nothing is required of a commit: who can write config chooses it; to require a signature or a branch: docs/security.md',
    'next: gitfleet agent run, then gitfleet publish',
  ];
}

const serviceWords = ({ service, credential }: InitService): string =>
  credential === null
    ? `service ${service}: open, everyone may register`
    : `service ${service}: ${credential} for the servers that register it, as authFile in agent.services`;
