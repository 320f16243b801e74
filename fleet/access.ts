import { OPEN } from '../zookeeper/acl.ts';
import type { AclEntry } from '../zookeeper/session.ts';

/**
 * Who may do what with which znode. Rights are not inherited in ZooKeeper, and the right to delete belongs to the
 * parent, so every create names its list, and no list has an entry for everybody (but where `init --open` was chosen).
 */
export const ROLES = ['operator', 'publisher', 'coordinator', 'agent', 'viewer'] as const;
export type Role = (typeof ROLES)[number];
/** The id of each role in access lists: `role:hash`, from which no password follows. */
export type RoleIds = Readonly<Record<Role, string>>;

export type NodeKind = keyof typeof TABLE;

/** Letters of publisher, coordinator, agent, viewer; the operator may do everything everywhere. */
const TABLE = {
  app: ['r', 'r', 'r', 'r'],
  config: ['rw', 'rw', 'r', 'r'],
  deployments: ['cdrw', 'cdrw', 'r', 'r'],
  deployment: ['rw', 'rw', 'r', 'r'],
  hold: ['r', 'r', 'r', 'r'],
  quarantine: ['rw', 'rw', 'r', 'r'], // A publisher lifts one by --force, in the transaction that publishes.
  policy: ['r', 'r', 'r', 'r'],
  rollout: ['r', 'rw', 'r', 'r'],
  permits: ['r', 'cdrw', 'r', 'r'],
  permit: ['r', 'rw', 'r', 'r'],
  online: ['r', 'r', 'cr', 'r'], // Nobody but the operator deletes a presence: it goes with its session.
  presence: ['r', 'r', 'r', 'r'],
  agents: ['r', 'r', 'cr', 'r'],
  report: ['r', 'r', 'r', 'r'],
  election: ['r', 'cdrw', 'r', 'r'],
  fetch: ['r', 'r', 'cdr', 'r'],
} as const;
const COLUMNS = ['publisher', 'coordinator', 'agent', 'viewer'] as const;

/** Whose credential writes a node of this kind, or creates below it: the first of those that may do least. */
export function roleThatMay(kind: NodeKind): Role {
  const at = TABLE[kind].findIndex((letters) => /[wc]/.test(letters));
  return COLUMNS[at] ?? 'operator';
}

/** Gives the list for a new node. */
export interface Access {
  /** @param own the digest id of whoever creates it, who alone may write it besides the operator. */
  of(kind: NodeKind, own?: string): readonly AclEntry[];
}

/** Whether everybody may change what has this list. */
export const isOpen = (acl: readonly AclEntry[]): boolean =>
  acl.some(({ scheme, permissions }) => scheme === 'world' && /[cdwa]/.test(permissions));

/** For trials: whoever reaches the ZooKeeper may do everything. */
export const openAccess: Access = { of: () => OPEN };

export function roleAccess(ids: RoleIds): Access {
  return {
    of(kind, own) {
      const entries = COLUMNS.map((role, at) => entry(ids[role], TABLE[kind][at] as string));
      return [entry(ids.operator, 'cdrwa'), ...entries, ...(own === undefined ? [] : [entry(own, 'rw')])];
    },
  };
}

const entry = (id: string, permissions: string): AclEntry => ({ scheme: 'digest', id, permissions });
