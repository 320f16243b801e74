import { digestId } from '../../zookeeper/acl.ts';
import { LATER_ROLES, ROLES, type Role, type RoleIds } from '../access.ts';

/**
 * A credential file: the holder's credential, and the ids of all roles, so that the holder can write access lists.
 *
 *     # gitfleet credential of the role publisher: keep it secret
 *     auth digest:publisher:4f1c...
 *     role operator operator:Zk0...=
 *     role publisher publisher:9aB...=
 */
export interface CredentialFile {
  readonly auth: readonly { readonly scheme: string; readonly credential: string }[];
  /** Null if the file names no roles, such as a hand-written one for a ZooKeeper without our access lists. */
  readonly roles: RoleIds | null;
}

/** One file per role. @param secret 24 random bytes or more in base64url, new for each call. */
export function makeCredentials(secret: () => string): Record<Role, string> {
  const passwords = Object.fromEntries(ROLES.map((role) => [role, secret()])) as Record<Role, string>;
  const roleLines = ROLES.map((role) => `role ${role} ${digestId(role, passwords[role])}`);
  const file = (role: Role) => [
    `# gitfleet credential of the role ${role}: keep it secret`,
    `auth digest:${role}:${passwords[role]}`,
    ...roleLines,
  ];
  return Object.fromEntries(ROLES.map((role) => [role, `${file(role).join('\n')}\n`])) as Record<Role, string>;
}

/**
 * What credential files of an earlier version lack: `lines` with the roles that are new in this version, to append to
 * each file, and a new file for each such role.
 * @param text the content of a file with the other roles.
 */
export function laterRoles(
  text: string,
  secret: () => string,
): { lines: string; files: Partial<Record<Role, string>> } {
  const { roles } = parseCredentials(text) as CredentialFile;
  const lacking = LATER_ROLES.filter((role) => roles !== null && roles[role] === undefined);
  const passwords = lacking.map((role) => [role, secret()] as const);
  const added = passwords.map(([role, password]) => `role ${role} ${digestId(role, password)}\n`).join('');
  const known = text.split('\n').filter((line) => line.startsWith('role '));
  const files = passwords.map(([role, password]) => {
    const head = `# gitfleet credential of the role ${role}: keep it secret\nauth digest:${role}:${password}\n`;
    return [role, `${head}${known.join('\n')}\n${added}`] as const;
  });
  return { lines: added, files: Object.fromEntries(files) };
}

/**
 * @returns `badLine`: the number of the first line that is neither `auth` nor `role` nor a comment, if there is one.
 */
export function parseCredentials(text: string): CredentialFile | { readonly badLine: number } {
  const auth: { scheme: string; credential: string }[] = [];
  const ids: Partial<Record<Role, string>> = {};
  for (const [at, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const authLine = /^auth ([a-z0-9]+):(\S+)$/.exec(line);
    const roleLine = /^role (\w+) (\S+)$/.exec(line);
    if (authLine) auth.push({ scheme: authLine[1] as string, credential: authLine[2] as string });
    else if (roleLine && ROLES.includes(roleLine[1] as Role)) ids[roleLine[1] as Role] = roleLine[2] as string;
    else return { badLine: at + 1 };
  }
  const complete = ROLES.every((role) => ids[role] !== undefined || LATER_ROLES.some((later) => later === role));
  return { auth, roles: complete ? (ids as RoleIds) : null };
}
