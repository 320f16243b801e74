import { ROLES, type RoleIds } from '../fleet/access.ts';
import { digestId, OPEN } from '../zookeeper/acl.ts';
import type { AclEntry } from '../zookeeper/session.ts';

/**
 * Who may do what with the znodes of services. Everyone may read lists: that is what they are for. Only the holder of
 * the service's own registrar credential, and the operator, may add or remove registrations. Znodes that only gitfleet
 * reads are readable for the roles of the fleet. The registry does not prove who answers at an address.
 */
export interface ServiceAccess {
  /** `/service` and `/service/<business>`. */
  readonly above: readonly AclEntry[];
  readonly list: readonly AclEntry[];
  readonly registration: readonly AclEntry[];
  /** `/service-fleet` and `/service-fleet/<business>`. */
  readonly fleetAbove: readonly AclEntry[];
  readonly fleet: readonly AclEntry[];
  readonly instances: readonly AclEntry[];
  readonly twin: readonly AclEntry[];
  readonly consumers: readonly AclEntry[];
  readonly consumer: readonly AclEntry[];
}

export const openServiceAccess: ServiceAccess = {
  ...{ above: OPEN, list: OPEN, registration: OPEN },
  ...{ fleetAbove: OPEN, fleet: OPEN, instances: OPEN, twin: OPEN, consumers: OPEN, consumer: OPEN },
};

/** @param registrar the digest id of the service's registrar, if it is known. */
export function serviceAccess(ids: RoleIds, registrar: string | null): ServiceAccess {
  const everybody = { scheme: 'world', id: 'anyone', permissions: 'r' };
  const operator = entry(ids.operator, 'cdrwa');
  const of = (permissions: string) => (registrar === null ? [] : [entry(registrar, permissions)]);
  const readers = ROLES.flatMap((role) => {
    const id = role === 'operator' ? undefined : ids[role];
    return id === undefined ? [] : [entry(id, 'r')];
  });
  const others = readers.filter(({ id }) => id !== ids.agent);
  return {
    above: [operator, everybody],
    list: [operator, ...of('cdr'), everybody],
    registration: [operator, ...of('r'), everybody],
    fleetAbove: [operator, ...readers, ...of('r')],
    fleet: [operator, ...of('rw'), ...readers],
    instances: [operator, ...of('cdr'), ...readers],
    twin: [operator, ...of('rw'), ...readers],
    consumers: [operator, ...of('cdr'), entry(ids.agent, 'cdr'), ...others],
    consumer: [operator, ...of('rw'), entry(ids.agent, 'rw'), ...others],
  };
}

const entry = (id: string, permissions: string): AclEntry => ({ scheme: 'digest', id, permissions });

/** The id of the first registrar among the credentials of a session; null: there is none. */
export function registrarIn(auth: readonly { readonly scheme: string; readonly credential: string }[]): string | null {
  const found = auth.find(({ scheme, credential }) => scheme === 'digest' && credential.startsWith(`${REGISTRAR}:`));
  return found ? digestId(REGISTRAR, found.credential.slice(REGISTRAR.length + 1)) : null;
}

/** The user name of a registrar's credential. Each service has its own password. */
export const REGISTRAR = 'registrar';

/** For a program that knows no roles: it owns what it creates, and everyone may read that. */
export function ownServiceAccess(acl: readonly AclEntry[]): ServiceAccess {
  const own = [...acl, { scheme: 'world', id: 'anyone', permissions: 'r' }];
  return {
    ...{ above: own, list: own, registration: own },
    ...{ fleetAbove: own, fleet: own, instances: own, twin: own, consumers: own, consumer: own },
  };
}
