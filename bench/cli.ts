import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock as clock } from '../runtime/clock.ts';
import { createOrigin } from '../test/support/git/origin.ts';
import { findDistribution, startServers } from '../zookeeper/local/servers.ts';
import { mean, median, runMeasured, type Took } from './measured.ts';

/**
 * What the command line costs from its start to its end, on a real ZooKeeper (loopback, no fsync) and with a real
 * repository, next to an empty Node and to a bare script: the same client library and the same transaction, no settings,
 * no reads, no checks. Rounds are interleaved, so that what else the machine does hits all; wall is a median, cpu a mean.
 *
 * Arguments: `--rounds=21`, `--main=FILE` (default dist/cli/main.cjs).
 */
const PROMISED_MS = 60;
const word = (name: string) => process.argv.find((arg) => arg.startsWith(`--${name}=`))?.slice(name.length + 3);
const ROUNDS = Number(word('rounds') ?? 21);
const MAIN = word('main') ?? join(process.cwd(), 'dist/cli/main.cjs');
const APP = '/app/bench';

/** Argv: connect string, app znode, number, target, record, module of the client. */
const BARE = `
const [connect, app, number, config, record, client] = process.argv.slice(2);
const zk = require(client).createClient(connect, { sessionTimeout: 15000 });
zk.once('connected', () => {
  zk.transaction().check(app + '/hold', -1).check(app + '/quarantine', -1)
    .setData(app + '/deployments', Buffer.from(number), -1)
    .create(app + '/deployments/d-' + number, Buffer.from(record))
    .setData(app + '/config', Buffer.from(config), -1)
    .commit((error) => { if (error) { console.error(String(error)); process.exitCode = 1; } zk.close(); });
});
zk.connect();
`;

type Candidate = readonly [name: string, args: () => readonly string[]];

async function measure(connect: string, directory: string): Promise<void> {
  const origin = createOrigin(join(directory, 'shop.git'));
  const commitId = origin.commit({ 'index.txt': 'welcome\n' });
  const bare = join(directory, 'bare.cjs');
  await writeFile(bare, BARE);
  const target = { url: origin.url, commitId, relativePath: 'shop' };
  const record = (number: number) =>
    JSON.stringify({
      number,
      target,
      by: 'ann',
      reason: 'bench',
      via: 'publish',
      nonce: '0',
      previous: null,
      at: 0,
    });
  const client = join(process.cwd(), 'node_modules/node-zookeeper-client');
  // Both publish: each next deployment has the next number, whoever writes it.
  let published = 1;
  const here = ['-z', connect, '--app', APP];
  const publish = ['publish', commitId, '--url', origin.url, '--relative-path', 'shop', '--detach', ...here];
  const candidates: readonly Candidate[] = [
    ['node -e 0', () => ['-e', '0']],
    ['bare script', () => [bare, connect, APP, String(++published), JSON.stringify(target), record(published), client]],
    ['publish --detach --no-check', () => [MAIN, ...publish, '--no-check', '-m', String(++published)]],
    ['publish --detach', () => [MAIN, ...publish, '-m', String(++published)]],
    ['status', () => [MAIN, 'status', ...here]],
    ['history', () => [MAIN, 'history', ...here]],
    ['--help', () => [MAIN, '--help']],
  ];
  await runMeasured(process.execPath, [MAIN, 'init', '--open', ...here], directory);
  await runMeasured(process.execPath, [MAIN, ...publish, '--no-check'], directory);
  const figures = new Map<string, Took[]>(candidates.map(([name]) => [name, []]));
  // The first round only warms the caches of the machine.
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [name, args] of candidates) {
      const took = await runMeasured(process.execPath, args(), directory);
      if (round > 0) figures.get(name)?.push(took);
    }
  }
  print(figures);
}

function print(figures: ReadonlyMap<string, readonly Took[]>): void {
  const wall = (name: string) => median((figures.get(name) ?? []).map((took) => took.wallMs));
  const row = (...cells: string[]) =>
    console.log(cells.map((cell, at) => (at ? cell.padStart(12) : cell.padEnd(30))).join(''));
  console.log(`\n${ROUNDS} interleaved rounds, ms, Node ${process.version}\n`);
  row('', 'wall median', 'wall min', 'cpu mean', 'over bare');
  for (const [name, all] of figures) {
    const over = name.startsWith('publish') ? (wall(name) - wall('bare script')).toFixed(1) : '';
    const least = Math.min(...all.map((took) => took.wallMs)).toFixed(1);
    row(name, wall(name).toFixed(1), least, mean(all.map((took) => took.cpuMs)).toFixed(1), over);
  }
  const over = wall('publish --detach --no-check') - wall('bare script');
  console.log(
    `\npublish --detach --no-check over the bare script: ${over.toFixed(1)} ms (promised: at most ${PROMISED_MS})`,
  );
}

const { ZOOKEEPER_HOME, JAVA_HOME, PATH } = process.env;
const distribution = await findDistribution({ ZOOKEEPER_HOME, JAVA_HOME, PATH });
if ('missing' in distribution) throw new Error(distribution.missing);
const directory = await mkdtemp(join(tmpdir(), 'gitfleet-bench-cli-'));
const servers = await startServers({ count: 1, distribution, directory: join(directory, 'zookeeper'), clock });
try {
  await measure(servers.connectString, directory);
} finally {
  await servers.stop();
  await rm(directory, { recursive: true, force: true });
}
