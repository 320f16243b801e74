import { join } from 'node:path';
import { systemClock as clock } from '../../../runtime/clock.ts';
import {
  findDistribution,
  type LocalServers,
  type ServersOptions,
  startServers,
} from '../../../zookeeper/local/servers.ts';
import '../lanes/starts-processes.ts';

/** Real servers below a folder. They do not survive a power loss: they skip fsync. */
export async function startServersForTest(
  count: 1 | 3,
  folder: string,
  options: Partial<ServersOptions> = {},
): Promise<LocalServers> {
  const { ZOOKEEPER_HOME, JAVA_HOME, PATH } = process.env;
  const distribution = await findDistribution({ ZOOKEEPER_HOME, JAVA_HOME, PATH });
  if ('missing' in distribution) throw new Error(`these tests run on a real ZooKeeper: ${distribution.missing}`);
  return startServers({ count, distribution, directory: join(folder, 'servers'), clock, ...options });
}
