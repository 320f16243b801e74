import { readFile, stat } from 'node:fs/promises';
import { type Access, openAccess, type RoleIds, roleAccess } from '../../fleet/access.ts';
import { type CredentialFile, parseCredentials } from '../../fleet/enrolment/credentials.ts';
import { FleetError } from '../../runtime/errors.ts';
import { isOpenToOthers } from '../../runtime/secrets/secret-file.ts';
import type { Settings } from '../../schemas/settings/settings.ts';
import { digestId } from '../../zookeeper/acl.ts';
import type { SessionOptions } from '../../zookeeper/open-session.ts';
import { unreadableReason } from './settings.ts';

/** The credentials of a session, and the rights of the znodes that it creates. */
export interface SessionAccess {
  readonly access: Access;
  /** Null: the ZooKeeper counts as open. */
  readonly roles: RoleIds | null;
  readonly session: Pick<SessionOptions, 'sessionTimeoutMs' | 'auth' | 'tls' | 'renewCredentials' | 'defaultAcl'>;
}

/**
 * Reads the files that the settings name. If `authFile` has no roles, the ZooKeeper counts as open.
 * @throws FleetError SETTINGS
 */
export async function sessionAccess(settings: Settings): Promise<SessionAccess> {
  const { authFile, tls, sessionTimeout } = settings.zookeeper;
  const credentials: CredentialFile = authFile === undefined ? { auth: [], roles: null } : await readAuth(authFile);
  const access = credentials.roles ? roleAccess(credentials.roles) : openAccess;
  const own: SessionAccess = {
    access,
    roles: credentials.roles,
    session: {
      sessionTimeoutMs: sessionTimeout,
      // A create that omits its rights is then too closed rather than too open.
      defaultAcl: access.of('app'),
      auth: credentials.auth,
      ...(tls === undefined ? {} : { tls: await readTls(tls) }),
      // Certificates and credentials may be renewed in place while a program runs.
      renewCredentials: async () => {
        const { session } = await renewedAccess(settings, own);
        return { auth: session.auth ?? [], tls: session.tls };
      },
    },
  };
  return own;
}

/**
 * The current content of the files, for a new connection. A file that is being written has less content than before,
 * and a pipe has none the second time: neither takes a role from a running program.
 * @param last used if a name does not lead to a regular file.
 * @throws FleetError SETTINGS, also if credentials or roles of `last` are missing.
 */
export async function renewedAccess(settings: Settings, last: SessionAccess): Promise<SessionAccess> {
  if (!(await canBeReadAgain(settings))) return last;
  const next = await sessionAccess(settings);
  const has = ({ session }: SessionAccess) => session.auth?.length ?? 0;
  if (has(next) >= has(last) && (next.roles !== null || last.roles === null)) return next;
  throw FleetError.of(
    'SETTINGS',
    `${settings.zookeeper.authFile} holds less than it did: credentials or roles are missing`,
    'write the whole file; to take credentials away, restart the program',
  );
}

/** Whether each named file is a regular one or cannot be seen; then the error of reading it says why. */
async function canBeReadAgain({ zookeeper: { authFile, tls }, coordinator }: Settings): Promise<boolean> {
  const names = [authFile, tls?.caFile, tls?.certFile, tls?.keyFile, coordinator.authFile];
  const found = await Promise.all(names.map((name) => (name === undefined ? null : stat(name).catch(() => null))));
  return found.every((each) => each === null || each.isFile());
}

interface CoordinatorAccess {
  /** Whether this agent may be elected to lead rollouts. */
  readonly stands: boolean;
  /** The additional credentials of its session. */
  readonly auth: readonly { readonly scheme: string; readonly credential: string }[];
}

const NOT: CoordinatorAccess = { stands: false, auth: [] };

/**
 * An agent is a candidate if its settings have the coordinator's credential, or the app is open.
 * @throws FleetError SETTINGS, also if the file belongs to another role: all actions of such a leader would be refused.
 */
export async function coordinatorAccess({ coordinator }: Settings, own: SessionAccess): Promise<CoordinatorAccess> {
  if (!coordinator.candidate) return NOT;
  const file = coordinator.authFile;
  const auth = file === undefined ? [] : (await readAuth(file)).auth;
  const { roles } = own;
  if (roles === null) return { stands: true, auth };
  const leads = [...(own.session.auth ?? []), ...auth].some(({ scheme, credential }) => {
    const [user = '', ...password] = credential.split(':');
    const id = digestId(user, password.join(':'));
    return scheme === 'digest' && (id === roles.coordinator || id === roles.operator);
  });
  if (leads || file === undefined) return { stands: leads, auth };
  throw FleetError.of(
    'SETTINGS',
    `coordinator.authFile ${file} is not the coordinator's credential of this app`,
    'gitfleet init --credentials DIR wrote it as DIR/coordinator.auth',
  );
}

/** @throws FleetError SETTINGS */
export async function readAuth(file: string): Promise<CredentialFile> {
  if (/\/(digest|auth|sasl|ip|x509)[: ][^/]*$/.test(file)) {
    // Every user of this machine can read a command line. The message does not repeat the credential.
    throw FleetError.of(
      'SETTINGS',
      'zookeeper.authFile must be the name of a file, but this is a credential',
      'write it into a file and chmod 600 the file',
    );
  }
  const parsed = parseCredentials((await readSecret(file)).toString('utf8'));
  if (!('badLine' in parsed)) return parsed;
  throw FleetError.of(
    'SETTINGS',
    `line ${parsed.badLine} of ${file} is no credential`,
    'such as: auth digest:user:password',
  );
}

async function readTls(tls: NonNullable<Settings['zookeeper']['tls']>) {
  return {
    ...(tls.caFile === undefined ? {} : { ca: await read(tls.caFile) }),
    ...(tls.certFile === undefined ? {} : { cert: await read(tls.certFile) }),
    ...(tls.keyFile === undefined ? {} : { key: await readSecret(tls.keyFile) }),
  };
}

async function readSecret(file: string): Promise<Buffer> {
  const content = await read(file);
  if (!isOpenToOthers(await stat(file))) return content;
  throw FleetError.of('SETTINGS', `${file} holds a secret, and others may read it`, `chmod 600 ${file}`);
}

async function read(file: string): Promise<Buffer> {
  return await readFile(file).catch((error: Error) => {
    throw FleetError.of(
      'SETTINGS',
      `${file} cannot be read: ${unreadableReason(error)}`,
      'check the name in the settings and the owner of the file',
    );
  });
}
