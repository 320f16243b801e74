import { digestId } from '../zookeeper/acl.ts';
import { LATER_ROLES, ROLES, type Role, type RoleIds } from './access.ts';

/**
 * A credential file: who its holder is, and the ids of all roles, so that its holder can write access lists.
 *
 *     # gitfleet credential of the role publisher: keep it secret
 *     auth digest:publisher:4f1c...
 *     role operator operator:Zk0...=
 *     role publisher publisher:9aB...=
 */
export interface CredentialFile {
  readonly auth: readonly { readonly scheme: string; readonly credential: string }[];
  /** Null where the file names no roles: somebody wrote it by hand for a ZooKeeper without our access lists. */
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

/** @returns the number of the first line that is neither `auth` nor `role` nor a comment, where there is one. */
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
  const complete = ROLES.every((role) => ids[role] !== undefined || LATER_ROLES.includes(role));
  return { auth, roles: complete ? (ids as RoleIds) : null };
}
