import { ZNODES, type ZnodeKind, type ZnodeRow } from '../schemas/znodes.ts';
import { OPEN } from '../zookeeper/acl.ts';
import type { AclEntry } from '../zookeeper/session.ts';

/**
 * Who may do what with which znode. Rights are not inherited in ZooKeeper, and the right to delete belongs to the
 * parent, so every create names its list, and no list has an entry for everybody (but where `init --open` was chosen).
 */
export const ROLES = ['operator', 'publisher', 'coordinator', 'agent', 'viewer', 'flagger'] as const;
export type Role = (typeof ROLES)[number];
/** Roles that credential files of 0.1.0 do not name: their access lists have no entry for them until `init` again. */
export const LATER_ROLES: readonly Role[] = ['flagger'];
/** The id of each role in access lists: `role:hash`, from which no password follows. */
export type RoleIds = Readonly<Record<Exclude<Role, 'flagger'>, string>> & { readonly flagger?: string };

/** The order of `rights` in each row of schemas/znodes.ts; the operator may do everything everywhere. */
const COLUMNS = ['publisher', 'coordinator', 'agent', 'viewer'] as const;

/** Whose credential writes a node of this kind, or creates below it: the one of them that may do least. */
export function roleThatMay(kind: ZnodeKind): Role {
  const row: ZnodeRow = ZNODES[kind];
  if (/[wc]/.test(row.flagger ?? '')) return 'flagger';
  const at = row.rights.findIndex((letters) => /[wc]/.test(letters));
  return COLUMNS[at] ?? 'operator';
}

/** Gives the list for a new node. */
export interface Access {
  /** @param own the digest id of the creator, or its role: it may write the node besides those who may anyway. */
  of(kind: ZnodeKind, own?: string): readonly AclEntry[];
}

/** Whether everybody may change what has this list. */
export const isOpen = (acl: readonly AclEntry[]): boolean =>
  acl.some(({ scheme, permissions }) => scheme === 'world' && /[cdwa]/.test(permissions));

/** For trials: every client that reaches ZooKeeper may do everything. */
export const openAccess: Access = { of: () => OPEN };

export function roleAccess(ids: RoleIds): Access {
  return {
    of(kind, own) {
      const row: ZnodeRow = ZNODES[kind];
      const entries = COLUMNS.map((role, at) => entry(ids[role], row.rights[at] as string));
      const flagger = ids.flagger === undefined ? [] : [entry(ids.flagger, row.flagger ?? row.rights[3])];
      const creator = own === 'publisher' ? ids.publisher : own;
      const extra = creator === undefined ? [] : [entry(creator, 'rw')];
      return [entry(ids.operator, 'cdrwa'), ...entries, ...flagger, ...extra];
    },
  };
}

const entry = (id: string, permissions: string): AclEntry => ({ scheme: 'digest', id, permissions });

/**
 * Which znodes other programs do not write by way of the library or the command line: those of ZooKeeper itself, the
 * fleet's side of the services, and what gitfleet keeps below an app znode. An app elsewhere than below `/app` is known
 * only where it is named. What keeps a stranger out are the access rights; this keeps a friend from a mistake.
 */
export function reservedFor(path: string, apps: readonly string[]): string | null {
  if (isWithin(path, '/zookeeper')) return 'ZooKeeper itself';
  if (isWithin(path, '/service-fleet')) return 'the services of gitfleet';
  const app = [...apps, /^\/app\/[^/]+/.exec(path)?.[0] ?? ''].find((each) => each !== '' && isBelow(path, each));
  const name = app === undefined ? '' : (path.slice(app.length + 1).split('/')[0] as string);
  return OWN_NAMES.has(name) ? `the deployments of ${app}` : null;
}

/** The first part of each path below an app znode. */
const OWN_NAMES: ReadonlySet<string> = new Set(
  Object.values(ZNODES).flatMap(({ path }) => (path === '' ? [] : [path.split('/')[0] as string])),
);

const isBelow = (path: string, parent: string): boolean => path.startsWith(`${parent}/`);
const isWithin = (path: string, parent: string): boolean => path === parent || isBelow(path, parent);
