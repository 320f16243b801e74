import { ZNODES, type ZnodeKind, type ZnodeRow } from '../schemas/znodes.ts';
import { OPEN } from '../zookeeper/acl.ts';
import type { AclEntry } from '../zookeeper/session.ts';

/**
 * Who may do what with which znode. ZooKeeper does not inherit rights, and the right to delete a node belongs to its
 * parent. So every create names an access list, and no list has an entry for everyone (unless `init --open` was used).
 */
export const ROLES = ['operator', 'publisher', 'coordinator', 'agent', 'viewer', 'flagger', 'server'] as const;
export type Role = (typeof ROLES)[number];
/**
 * Roles that credential files of 0.1.0 do not name: access lists made with those have no entry for them until `init`
 * runs again.
 */
export const LATER_ROLES = ['flagger', 'server'] as const satisfies readonly Role[];
type LaterRole = (typeof LATER_ROLES)[number];
/** The id of each role in access lists: `role:hash`, which does not reveal the password. */
export type RoleIds = Readonly<Record<Exclude<Role, LaterRole>, string>> & { readonly [Later in LaterRole]?: string };

/** The order of `rights` in each row of schemas/znodes.ts. The operator may do everything everywhere. */
const COLUMNS = ['publisher', 'coordinator', 'agent', 'viewer'] as const;

/** The least privileged role that may write a node of this kind, or create below it. */
export function roleThatMay(kind: ZnodeKind): Role {
  const row: ZnodeRow = ZNODES[kind];
  const later = LATER_ROLES.find((role) => /[wc]/.test(row[role] ?? ''));
  if (later !== undefined) return later;
  const at = row.rights.findIndex((letters) => /[wc]/.test(letters));
  return COLUMNS[at] ?? 'operator';
}

/** Makes the access list for a new node. */
export interface Access {
  /**
   * @param own the digest id of the creator, or its role, which may write the node in addition to those that may
   * anyway.
   */
  of(kind: ZnodeKind, own?: string): readonly AclEntry[];
}

/** Whether everyone may change a node with this list. */
export const isOpen = (acl: readonly AclEntry[]): boolean =>
  acl.some(({ scheme, permissions }) => scheme === 'world' && /[cdwa]/.test(permissions));

/** For trials: every client of ZooKeeper may do everything. */
export const openAccess: Access = { of: () => OPEN };

export function roleAccess(ids: RoleIds): Access {
  return {
    of(kind, own) {
      const row: ZnodeRow = ZNODES[kind];
      const entries = COLUMNS.map((role, at) => entry(ids[role], row.rights[at] as string));
      const later = LATER_ROLES.flatMap((role) => {
        const id = ids[role];
        return id === undefined ? [] : [entry(id, row[role] ?? row.rights[3])];
      });
      const creator = own === 'publisher' ? ids.publisher : own;
      const extra = creator === undefined ? [] : [entry(creator, 'rw')];
      const all = [entry(ids.operator, 'cdrwa'), ...entries, ...later, ...extra];
      return all.filter(({ permissions }) => permissions !== '');
    },
  };
}

const entry = (id: string, permissions: string): AclEntry => ({ scheme: 'digest', id, permissions });

/**
 * Whether the library and the command line refuse to write this path for other programs: it belongs to ZooKeeper
 * itself, to the fleet's side of the services, or to gitfleet below an app znode. Apps that are not directly below
 * `/app` are known only if they are in `apps`. This prevents mistakes; against attackers there are access rights.
 */
export function reservedFor(path: string, apps: readonly string[]): string | null {
  if (isWithin(path, '/zookeeper')) return 'ZooKeeper itself';
  if (isWithin(path, '/service-fleet')) return 'the services of gitfleet';
  const app = [...apps, /^\/app\/[^/]+/.exec(path)?.[0] ?? ''].find((each) => each !== '' && isBelow(path, each));
  const name = app === undefined ? '' : (path.slice(app.length + 1).split('/')[0] as string);
  return OWN_NAMES.has(name) ? `the deployments of ${app}` : null;
}

/** The first segment of each path below an app znode. */
const OWN_NAMES: ReadonlySet<string> = new Set(
  Object.values(ZNODES).flatMap(({ path }) => (path === '' ? [] : [path.split('/')[0] as string])),
);

const isBelow = (path: string, parent: string): boolean => path.startsWith(`${parent}/`);
const isWithin = (path: string, parent: string): boolean => path === parent || isBelow(path, parent);
