import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import type { LocalServers } from '../../../zookeeper/local/servers.ts';
import { startServersForTest } from './start.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The socket at which a worker requests its ZooKeeper. */
    zookeeperOfWorker: string;
  }
}

/**
 * One ZooKeeper per worker, for all the files that it runs one after another. A worker is a new process for each file,
 * so the servers run here, beside the workers. One is started at the first request of a worker, by its number.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'gitfleet-workers-'));
  const started = new Map<string, Promise<LocalServers>>();
  const socket = join(folder, 'socket');

  const serverOf = (worker: string): Promise<LocalServers> => {
    const server = started.get(worker) ?? startServersForTest(1, join(folder, worker));
    started.set(worker, server);
    return server;
  };
  const listener: Server = createServer((client) => {
    client.on('error', () => {});
    client.setEncoding('utf8').once('data', (worker: string) => {
      serverOf(worker).then(
        (servers) => client.end(servers.connectString),
        (error: Error) => client.end(`failed: ${error.message}`),
      );
    });
  });
  await new Promise<void>((resolve, reject) => listener.once('error', reject).listen(socket, resolve));
  project.provide('zookeeperOfWorker', socket);

  return async () => {
    await new Promise((resolve) => listener.close(resolve));
    const settled = await Promise.allSettled(started.values());
    for (const each of settled) if (each.status === 'fulfilled') await each.value.stop();
    await rm(folder, { recursive: true, force: true });
  };
}
