import { readFileSync } from 'node:fs';
import { parseCredentials } from '../fleet/enrolment/credentials.ts';
import { systemClock, systemRandom } from '../runtime/clock.ts';
import { FleetError } from '../runtime/errors.ts';
import { createLog } from '../runtime/log.ts';
import { parseDuration } from '../schemas/duration.ts';
import { openServiceAccess, ownServiceAccess } from '../services/access.ts';
import { openSession } from '../zookeeper/open-session.ts';
import type { AclEntry } from '../zookeeper/session.ts';
import type { Client } from './client.ts';
import { createClient } from './create-client.ts';

export interface ConnectSettings {
  /** `host:port,host:port,host:port`, followed by a chroot such as `/shop` if all paths are below one. */
  readonly zookeeper: string;
  /**
   * How long ZooKeeper keeps what belongs to this program while it gets no sign of life, such as `15s`, the default.
   */
  readonly sessionTimeout?: string;
  /** Credentials, such as `{ scheme: 'digest', credential: 'user:password' }`. */
  readonly auth?: readonly { readonly scheme: string; readonly credential: string }[];
  /** A file with lines such as `auth digest:user:password`; read again for each new connection. */
  readonly authFile?: string;
  /** Certificates and keys as PEM, not file names. Absent: plain TCP. */
  readonly tls?: {
    readonly ca?: string | Buffer;
    readonly cert?: string | Buffer;
    readonly key?: string | Buffer;
    readonly passphrase?: string;
    /** The name that the servers' certificate must have. Default: the host as given. */
    readonly servername?: string;
  };
  /**
   * Who may use the nodes that this program creates. Default: `creator` if it has a credential, else `open`: everyone.
   * Programs that share a lock or a queue need rights on each other's nodes: the same credential, or a list.
   */
  readonly acl?: 'open' | 'creator' | readonly AclEntry[];
  /** App znodes of gitfleet that are not directly below `/app`; this program must not write below them. */
  readonly apps?: readonly string[];
  /** Receives log lines about the connection. Default: none. */
  readonly log?: (line: { readonly level: string; readonly msg: string; readonly [field: string]: unknown }) => void;
}

/**
 * Opens the one lasting handle of a program. Returns at once, connects in the background, and reconnects until
 * `close()`. Calls wait for a server, each up to its own deadline.
 * @throws FleetError for settings that can never work: BAD_CONNECT_STRING, BAD_TLS, SETTINGS.
 */
export function connect(settings: ConnectSettings): Client {
  const { auth = [], authFile, tls } = settings;
  const credentials = () => [...auth, ...(authFile === undefined ? [] : authIn(authFile))];
  const first = credentials();
  const parts = { clock: systemClock, random: systemRandom, log: logTo(settings.log) };
  const defaultAcl = aclOf(settings.acl ?? (first.length > 0 ? 'creator' : 'open'));
  const session = openSession({
    connect: settings.zookeeper,
    sessionTimeoutMs: timeoutOf(settings.sessionTimeout ?? '15s'),
    auth: first,
    defaultAcl,
    tls,
    ...(authFile === undefined ? {} : { renewCredentials: async () => ({ auth: credentials(), tls }) }),
    ...parts,
  });
  const serviceAccess = defaultAcl === 'open' ? openServiceAccess : ownServiceAccess(defaultAcl);
  return createClient(session, settings.apps ?? [], parts, serviceAccess);
}

function timeoutOf(text: string): number {
  const ms = parseDuration(text);
  if (ms !== null && ms >= 2_000 && ms <= 300_000) return ms;
  throw FleetError.of(
    'SETTINGS',
    `sessionTimeout ${JSON.stringify(text)} must be a duration from 2s to 5m`,
    'such as 15s',
  );
}

/** @throws FleetError SETTINGS */
function authIn(file: string): readonly { readonly scheme: string; readonly credential: string }[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw FleetError.of('SETTINGS', `authFile ${file} cannot be read (${(error as Error).message})`, undefined, error);
  }
  const parsed = parseCredentials(text);
  if (!('badLine' in parsed)) return parsed.auth;
  const hint = 'such as: auth digest:user:password';
  throw FleetError.of('SETTINGS', `line ${parsed.badLine} of ${file} is no credential`, hint);
}

function aclOf(acl: NonNullable<ConnectSettings['acl']>): 'open' | readonly AclEntry[] {
  // ZooKeeper replaces this entry with the ids of the session.
  return acl === 'creator' ? [{ scheme: 'auth', id: '', permissions: 'cdrwa' }] : acl;
}

function logTo(write: ConnectSettings['log']) {
  if (!write) return createLog({ level: 'silent' });
  return createLog({ level: 'info' }, { write: (line: string) => write(JSON.parse(line)) });
}
