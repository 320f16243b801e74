import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { systemClock as clock } from '../../../runtime/clock.ts';
import {
  findDistribution,
  type LocalServer,
  type LocalServers,
  type ServersOptions,
  startServers,
} from '../../../zookeeper/local/servers.ts';
import '../starts-processes.ts';

interface RealServers {
  /** With a chroot of its own per call, so that the cases of a file do not meet. */
  connect(chroot?: string): string;
  readonly servers: readonly LocalServer[];
  readonly first: LocalServer;
  /** The one that leads (or stands alone) now, and one that does not. */
  leader(): Promise<LocalServer>;
  follower(): Promise<LocalServer>;
}

/**
 * Real servers for the cases of one test file: started before the first, ended after the last. They keep their data
 * in memory where the machine has such a file system, and skip fsync.
 */
export function realServers(count: 1 | 3, options: Partial<ServersOptions> = {}): RealServers {
  let running: LocalServers;
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gitfleet-zookeeper-'));
    running = await startServersForTest(count, folder, options);
  });
  afterAll(async () => {
    await running?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  async function withRole(fits: (role: string) => boolean): Promise<LocalServer> {
    for (;;) {
      for (const server of running.servers) if (fits(await server.role())) return server;
      await clock.sleep(25);
    }
  }

  return {
    connect: (chroot = '') => running.connectString + chroot,
    get servers() {
      return running.servers;
    },
    get first() {
      return running.servers[0] as LocalServer;
    },
    leader: () => withRole((role) => role === 'leader' || role === 'standalone'),
    follower: () => withRole((role) => role === 'follower'),
  };
}

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
