import { createServer } from 'node:net';
import { systemClock } from '../../runtime/clock.ts';
import type { LocalServers } from '../../zookeeper/local/servers.ts';
import type { Call } from '../command-table.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { untilStopped } from '../shell/signals.ts';
import { say, usage, warn } from '../shell/terminal.ts';
import { startLocalZooKeeper } from './local-zookeeper.ts';

/** `gitfleet zk up`: serves until Ctrl-C, then removes everything. */
export async function run({ options }: Call): Promise<number> {
  const stopped = untilStopped();
  const count = Number(options['servers']);
  if (count !== 1 && count !== 3)
    throw usage('--servers must be 1 or 3', 'an ensemble needs a majority, so two are no safer than one');
  const first = options['port'] === undefined ? null : Number(options['port']);
  if (first !== null && !(Number.isSafeInteger(first) && first > 0 && first + count <= 65_536)) {
    throw usage('--port must be a port number', 'gitfleet zk up --port 2181');
  }
  const ports = first === null ? undefined : Array.from({ length: count }, (_, at) => first + at);
  for (const port of ports ?? []) await refuseTaken(port);
  const servers = await startLocalZooKeeper(count, ports);
  say(`ZooKeeper serves: ${servers.connectString}`);
  say(`  ${servers.servers.map(({ port, pid }) => `port ${port} pid ${pid}`).join(', ')}`);
  say(
    'for trials only: no fsync, no access rights, and the data is removed at the end',
    `next: gitfleet init --open -z ${servers.connectString}`,
    'Ctrl-C stops it',
  );
  const died = await Promise.race([stopped.then(() => null), untilOneDies(servers)]);
  await servers.stop();
  if (died !== null) {
    warn(`the server on port ${died} exited or was killed; the others were stopped too`);
    return EXIT.failed;
  }
  say('stopped; nothing is left');
  return EXIT.converged;
}

/** Another server on this port would answer instead of ours. */
async function refuseTaken(port: number): Promise<void> {
  const probe = createServer();
  await new Promise<void>((resolve, reject) => {
    probe.once('error', () =>
      reject(usage(`port ${port} is taken`, 'choose another --port, or none for any free one')),
    );
    probe.listen(port, '127.0.0.1', resolve);
  });
  await new Promise((resolve) => probe.close(resolve));
}

async function untilOneDies(servers: LocalServers): Promise<number> {
  for (;;) {
    const dead = servers.servers.find((server) => server.pid === undefined);
    if (dead) return dead.port;
    await systemClock.sleep(500);
  }
}
