import { mkdir, rm, rmdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type LocalServer, prepareServer, type ServerOptions, type ServerPlace } from './server.ts';

export { type Distribution, type DistributionEnvironment, findDistribution } from './distribution.ts';
export type { LocalServer } from './server.ts';

export interface ServersOptions extends ServerOptions {
  readonly count: 1 | 3;
  /** Servers of an ensemble of three that serve and do not vote; they come last in `servers`. Default 0. */
  readonly observers?: number;
  /** The directory for data and logs. Created if missing, and then also removed by `stop`. */
  readonly directory: string;
  /** Client ports, one per server. Default: free ports. */
  readonly ports?: readonly number[];
}

export interface LocalServers {
  readonly connectString: string;
  readonly servers: readonly LocalServer[];
  /** Ends every server and removes its files, and the directory if `startServers` created it. */
  stop(): Promise<void>;
}

/**
 * Starts real ZooKeeper servers as children on the loopback address, and resolves once all of them serve. They die with
 * us, even if we are killed (die-with-parent.ts). Unless ports were given, free ones are chosen, and chosen again if
 * another process takes one first.
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
      if (made) await rmdir(options.directory).catch(() => {}); // Not empty: it has other files.
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
  const all = options.count + (options.observers ?? 0);
  const free = await freePorts(all === 1 ? 1 : all * 3);
  return Array.from({ length: all }, (_, at) => ({
    number: at + 1,
    directory: join(options.directory, `server-${at + 1}`),
    clientPort: options.ports?.[at] ?? (free[at] as number),
    quorumPort: free[all + 2 * at] ?? 0,
    electionPort: free[all + 2 * at + 1] ?? 0,
    votes: at < options.count,
  }));
}

/** Different ports that were free a moment ago: no listener is closed before the last one is open. */
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
