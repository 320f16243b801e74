import { mkdtemp, rm, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../runtime/clock.ts';
import { FleetError } from '../../runtime/errors.ts';
import { findDistribution, type LocalServers, startServers } from '../../zookeeper/local/servers.ts';

/**
 * Real ZooKeeper servers as children of this process, with their data in a temporary directory that is removed with
 * them.
 * @throws FleetError NO_ZOOKEEPER that says exactly what to install.
 */
export async function startLocalZooKeeper(count: 1 | 3, ports?: readonly number[]): Promise<LocalServers> {
  const { ZOOKEEPER_HOME, JAVA_HOME, PATH } = process.env;
  const distribution = await findDistribution({ ZOOKEEPER_HOME, JAVA_HOME, PATH });
  if ('missing' in distribution) {
    throw FleetError.of('NO_ZOOKEEPER', 'there is no ZooKeeper on this machine to run', distribution.missing);
  }
  const directory = await mkdtemp(join(tmpdir(), 'gitfleet-zookeeper-'));
  const options = { count, distribution, directory, clock: systemClock, ...(ports ? { ports } : {}) };
  const servers = await startServers(options).catch(async (error: unknown) => {
    await rm(directory, { recursive: true, force: true });
    throw error;
  });
  return {
    ...servers,
    async stop() {
      await servers.stop();
      await rmdir(directory).catch(() => {});
    },
  };
}
