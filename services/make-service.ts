import { isCode } from '../zookeeper/errors.ts';
import { type AclEntry, ANY_VERSION, type Session } from '../zookeeper/session.ts';
import type { ServiceAccess } from './access.ts';
import { encodeServiceRule, serviceZnodes } from './contract.ts';

/**
 * Creates the missing znodes of a service. Repeatable: an existing floor and existing registrations stay.
 * @param give whether existing znodes of the service get these rights too: with `gitfleet init --service` they do, for
 * a registrant they do not.
 * @throws ZooKeeperError NO_AUTH if existing rights do not allow it.
 */
export async function makeService(
  session: Session,
  service: string,
  access: ServiceAccess,
  give = false,
): Promise<{ readonly made: readonly string[] }> {
  const { list, fleet, instances, consumers } = serviceZnodes(service);
  const business = service.slice(0, service.indexOf('/'));
  const shared: [string, readonly AclEntry[]][] = [
    ['/service', access.above],
    [`/service/${business}`, access.above],
    ['/service-fleet', access.fleetAbove],
    [`/service-fleet/${business}`, access.fleetAbove],
  ];
  const own: [string, readonly AclEntry[]][] = [
    [fleet, access.fleet],
    [instances, access.instances],
    [consumers, access.consumers],
    // Last: if the list exists, everything exists.
    [list, access.list],
  ];
  const made: string[] = [];
  for (const [path, acl] of [...shared, ...own]) {
    const data = path === fleet ? encodeServiceRule({ minAvailable: '50%' }) : Buffer.alloc(0);
    if (await created(session, path, data, acl)) made.push(path);
    else if (give && own.some(([each]) => each === path)) await session.setAcl(path, acl, ANY_VERSION);
  }
  return { made };
}

async function created(session: Session, path: string, data: Buffer, acl: readonly AclEntry[]): Promise<boolean> {
  if (await session.exists(path)) return false;
  try {
    await session.create(path, data, 'persistent', { acl });
    return true;
  } catch (error) {
    if (isCode(error, 'NODE_EXISTS')) return false;
    throw error;
  }
}
