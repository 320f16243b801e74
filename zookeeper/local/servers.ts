import { mkdir, rm, rmdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type LocalServer, prepareServer, type ServerOptions, type ServerPlace } from './server.ts';

export { type Distribution, type DistributionEnvironment, findDistribution } from './distribution.ts';
export type { LocalServer } from './server.ts';

export interface ServersOptions extends ServerOptions {
  readonly count: 1 | 3;
  /** Data and logs go below it; made when missing, and then also removed by `stop`. */
  readonly directory: string;
  /** Client ports, one per server; free ones are taken where this is not given. */
  readonly ports?: readonly number[];
}

export interface LocalServers {
  readonly connectString: string;
  readonly servers: readonly LocalServer[];
  /** Ends every server; nothing is left, neither process nor, where `startServers` made it, the directory. */
  stop(): Promise<void>;
}

/**
 * Starts real ZooKeeper servers as children on loopback and resolves once every one serves. They die with us, also
 * when we are killed: each has a guard that ends it as soon as our end of a pipe closes. Ports are chosen free, and
 * chosen again when another process takes one before the server does (unless they were given).
 */
export async function startServers(options: ServersOptions): Promise<LocalServers> {
  const made = await mkdir(options.directory, { recursive: true });
  const attempts = options.ports ? 1 : 5;
  for (let attempt = 1; ; attempt++) {
    const places = await choosePlaces(options);
    const servers = places.map((place) => prepareServer(place, places, options));
    const stop = async () => {
      await Promise.all(servers.map((server) => server.stop()));
      await Promise.all(places.map((place) => rm(place.directory, { recursive: true, force: true })));
      if (made) await rmdir(options.directory).catch(() => {}); // Not empty: other files are kept there.
    };
    try {
      await Promise.all(servers.map((server) => server.start()));
      const connectString = places.map((place) => `127.0.0.1:${place.clientPort}`).join(',');
      return { connectString, servers, stop };
    } catch (error) {
      const taken = error instanceof Error && /address already in use|BindException/i.test(error.message);
      await stop();
      if (!taken || attempt >= attempts) throw error;
      await mkdir(options.directory, { recursive: true });
    }
  }
}

async function choosePlaces(options: ServersOptions): Promise<ServerPlace[]> {
  const wanted = options.count === 1 ? 1 : options.count * 3;
  const free = await freePorts(wanted);
  return Array.from({ length: options.count }, (_, at) => ({
    number: at + 1,
    directory: join(options.directory, `server-${at + 1}`),
    clientPort: options.ports?.[at] ?? (free[at] as number),
    quorumPort: free[options.count + 2 * at] ?? 0,
    electionPort: free[options.count + 2 * at + 1] ?? 0,
  }));
}

/** Ports that were free a moment ago, all different: every listener is closed only after the last one is open. */
async function freePorts(count: number): Promise<number[]> {
  const listeners = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<ReturnType<typeof createServer>>((resolve, reject) => {
          const listener = createServer();
          listener.once('error', reject);
          listener.listen(0, '127.0.0.1', () => resolve(listener));
        }),
    ),
  );
  const ports = listeners.map((listener) => (listener.address() as { port: number }).port);
  await Promise.all(listeners.map((listener) => new Promise((resolve) => listener.close(resolve))));
  return ports;
}
