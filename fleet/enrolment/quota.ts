import { isCode } from '../../zookeeper/errors.ts';
import type { AclEntry, Session } from '../../zookeeper/session.ts';

/**
 * The size of an app at which ZooKeeper's servers log a warning, `Quota exceeded`: far more than 5,000 agents need
 * (four nodes each, reports of a few kilobytes). It enforces nothing, because with a hard quota a client that fills the
 * app could stop its deployments.
 */
export const QUOTA = { znodes: 50_000, bytes: 100_000_000 };

/**
 * Sets the quota like `setquota` of ZooKeeper's own command line: `zookeeper_limits`, which the servers read, and
 * `zookeeper_stats`, which they maintain. An existing quota, on the app or above it, is left unchanged.
 * @param session without a chroot, because quotas are outside all apps.
 * @param path of the app on the servers, including the chroot.
 * @returns false if there already was one.
 * @throws ZooKeeperError NO_AUTH if this credential may not set quotas.
 */
export async function setQuota(session: Session, path: string, acl: readonly AclEntry[]): Promise<boolean> {
  const above = path.split('/').map((_, at, parts) => parts.slice(0, at + 1).join('/'));
  const there = await Promise.all(above.map((each) => session.exists(`${QUOTAS}${each}/${LIMITS}`)));
  if (there.some((each) => each !== null)) return false;
  await session.ensure(`${QUOTAS}${path}`, { acl });
  await createOnce(session, `${QUOTAS}${path}/${LIMITS}`, `count=${QUOTA.znodes},bytes=${QUOTA.bytes}`, acl);
  await createOnce(session, `${QUOTAS}${path}/zookeeper_stats`, 'count=0,bytes=0', acl);
  return true;
}

const QUOTAS = '/zookeeper/quota';
const LIMITS = 'zookeeper_limits';

async function createOnce(session: Session, path: string, text: string, acl: readonly AclEntry[]): Promise<void> {
  await session.create(path, Buffer.from(text), 'persistent', { acl }).catch((error: unknown) => {
    if (!isCode(error, 'NODE_EXISTS')) throw error;
  });
}
