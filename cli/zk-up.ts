import { EXIT } from './exit-codes.ts';
import { startLocalZooKeeper } from './local-zookeeper.ts';
import type { Call } from './program.ts';
import { say, usage } from './terminal.ts';
import { untilStopped } from './until-stopped.ts';

/** `gitfleet zk up`: serves until Ctrl-C, then leaves nothing behind. */
export async function run({ options }: Call): Promise<number> {
  const stopped = untilStopped();
  const count = Number(options['servers']);
  if (count !== 1 && count !== 3)
    throw usage('--servers wants 1 or 3', 'an ensemble needs a majority, so two are no safer than one');
  const first = options['port'] === undefined ? null : Number(options['port']);
  if (first !== null && !(Number.isSafeInteger(first) && first > 0 && first + count <= 65_536)) {
    throw usage('--port wants a port number', 'gitfleet zk up --port 2181');
  }
  const ports = first === null ? undefined : Array.from({ length: count }, (_, at) => first + at);
  const servers = await startLocalZooKeeper(count, ports);
  say(`ZooKeeper serves: ${servers.connectString}`);
  say(`  ${servers.servers.map(({ port, pid }) => `port ${port} pid ${pid}`).join(', ')}`);
  say(
    'for trials only: without fsync and access rights; its data goes with it',
    `next: gitfleet init --open -z ${servers.connectString}`,
    'Ctrl-C ends it',
  );
  await stopped;
  await servers.stop();
  say('ended; nothing is left');
  return EXIT.converged;
}
