import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { systemClock as clock } from '../../../runtime/clock.ts';
import type { LocalServer, LocalServers, ServersOptions } from '../../../zookeeper/local/servers.ts';
import { startServersForTest } from './start.ts';

interface RealServers {
  /** With its own chroot per call, so that the cases of a file are separate. */
  connect(chroot?: string): string;
  readonly servers: readonly LocalServer[];
  readonly first: LocalServer;
  /** The server that leads (or stands alone) now, and one that does not. */
  leader(): Promise<LocalServer>;
  follower(): Promise<LocalServer>;
}

/**
 * Real servers only for the cases of one test file, which may kill, freeze, restart, configure and count on them:
 * started before the first case, ended after the last. Other files use the server of their worker (shared.ts).
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
