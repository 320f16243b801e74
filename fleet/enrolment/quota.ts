import { isCode } from '../../zookeeper/errors.ts';
import type { AclEntry, Session } from '../../zookeeper/session.ts';

/**
 * What an app may hold before the servers of ZooKeeper log a warning, `Quota exceeded`: far above what 5,000 agents need
 * (four nodes each, reports of some kilobytes). It stops nothing, since one that did would let a client that fills the app
 * stop its deployments.
 */
export const QUOTA = { znodes: 50_000, bytes: 100_000_000 };

/**
 * Sets it, as `setquota` of ZooKeeper's own command line does: `zookeeper_limits` for the servers to read, and
 * `zookeeper_stats`, which they keep. A quota that is there, on the app or above it, stays as it is.
 * @param session without a chroot: quotas lie beside all apps.
 * @param path of the app as the servers know it, chroot included.
 * @returns false where there was one.
 * @throws ZooKeeperError NO_AUTH where this credential may not set quotas.
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
