import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process';
import { mkdirSync, openSync, readlinkSync, watch, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { systemClock as clock, systemRandom as random } from '../runtime/clock.ts';
import { createLog } from '../runtime/log.ts';
import { createOrigin, type GitOrigin, temporaryDirectory } from '../test/support/git/origin.ts';
import { findDistribution, startServers } from '../zookeeper/local/servers.ts';
import { openSession } from '../zookeeper/open-session.ts';
import type { Session } from '../zookeeper/session.ts';
import { BARE_NODE_AGENT, BARE_PUBLISHER, NAIVE_AGENT, NAIVE_PUBLISHER } from './fleet-naive.ts';
import { cpuOf, median, runMeasured } from './measured.ts';

/**
 * From publish to the last of 1, 10, 50 agent processes, next to two others in the same run: the naive version, a kazoo
 * watch per server that runs `git pull`, and the bare one, the least that Node and git can do. A small repository over
 * file, where nobody queues for the origin, everything on this machine; the same commit for all, turn by turn, each
 * while the others rest. `command`: from the start of the program that publishes (`gitfleet publish --detach
 * --no-check`; for the others a script that sets a znode, with kazoo for the naive version and with Node for the bare one); `write`: from ZooKeeper's time of the write. Arrived: the
 * link shows the commit; `git pull` has ended. CPU is of an agent and of its children that have ended, so without the two
 * gits that answer our agents' questions all the time: until the last agent has arrived, and until all rest again.
 *
 * Arguments: numbers of agents (default 1 10 50), `--rounds=7`, `--packed`: the origin packs its objects before each
 * publish, so that our agents have to fetch by git, as from a git server.
 */
const PROMISED: Readonly<Record<number, number>> = { 1: 1.2, 10: 1, 50: 1 };
const FILES = 200;
const ROUNDS = Number(process.argv.find((arg) => arg.startsWith('--rounds='))?.slice('--rounds='.length) ?? 7);
const PACKED = process.argv.includes('--packed');
const COUNTS = process.argv
  .slice(2)
  .filter((word) => /^\d+$/.test(word))
  .map(Number);
const MAIN = join(process.cwd(), 'dist/cli/main.cjs');
const APP = '/app/bench';

interface Fleet {
  readonly name: string;
  readonly pids: readonly number[];
  /** The znode that the publisher sets. */
  readonly config: string;
  /** Resolves when every agent is at the commit. */
  arrived(commitId: string): Promise<void>;
  publish(commitId: string): Promise<unknown>;
  stop(): Promise<void>;
}

interface Figures {
  command: number[];
  write: number[];
  cpu: number[];
  cpuRest: number[];
}

async function measure(count: number, connect: string): Promise<void> {
  const { path: directory, remove } = temporaryDirectory('bench-fleet');
  const session = openSession({ connect, defaultAcl: 'open', clock, random, log: createLog({ level: 'silent' }) });
  const fleets: Fleet[] = [];
  try {
    const origin = createOrigin(join(directory, 'shop.git'));
    const first = origin.commit(Object.fromEntries(Array.from({ length: FILES }, (_, n) => [`src/${n}.txt`, text(n)])));
    for (const config of ['/naive', '/bare']) await session.create(config, Buffer.alloc(0), 'persistent');
    fleets.push(await naive(count, connect, directory, origin));
    fleets.push(await bareNode(count, connect, directory, origin));
    fleets.push(await ours(count, connect, directory, origin));
    const figures = new Map<Fleet, Figures>();
    for (const fleet of fleets) {
      figures.set(fleet, { command: [], write: [], cpu: [], cpuRest: [] });
      await turn(fleet, first, session, null);
    }
    // The first round only warms up.
    for (let round = 0; round <= ROUNDS; round++) {
      const commitId = origin.commit({ 'src/0.txt': `round ${round}\n`, 'src/1.txt': `round ${round} too\n` });
      if (PACKED) origin.git(['repack', '-adq']);
      const first = round % fleets.length;
      for (const fleet of [...fleets.slice(first), ...fleets.slice(0, first)]) {
        await turn(fleet, commitId, session, round > 0 ? (figures.get(fleet) as Figures) : null);
      }
    }
    print(
      count,
      fleets.map((fleet) => [fleet.name, figures.get(fleet) as Figures]),
    );
  } finally {
    await Promise.all(fleets.map((fleet) => fleet.stop()));
    await session.close();
    remove();
  }
}

const text = (n: number) => `file ${n}\n${'the quick brown fox jumps over the lazy dog\n'.repeat(20)}`;

async function turn(fleet: Fleet, commitId: string, session: Session, figures: Figures | null): Promise<void> {
  const cpu = () => fleet.pids.reduce((sum, pid) => sum + cpuOf(pid), 0) / fleet.pids.length;
  const before = cpu();
  const arrived = fleet.arrived(commitId).then(() => ({ at: clock.monotonic(), time: clock.now(), cpu: cpu() }));
  const started = clock.monotonic();
  const [last] = await Promise.all([arrived, fleet.publish(commitId)]);
  await rest(cpu);
  const writtenAt = (await session.get(fleet.config))?.stat.mtime ?? Number.NaN;
  figures?.command.push(last.at - started);
  figures?.write.push(last.time - writtenAt);
  figures?.cpu.push(last.cpu - before);
  figures?.cpuRest.push(cpu() - before);
}

/** Waits until the agents have done nothing for a second and a half: what they do afterwards is theirs to pay. */
async function rest(cpu: () => number): Promise<void> {
  for (let quiet = 0, before = cpu(); quiet < 3; ) {
    await clock.sleep(500);
    const now = cpu();
    quiet = now - before < 0.5 ? quiet + 1 : 0;
    before = now;
  }
}

async function naive(count: number, connect: string, directory: string, origin: GitOrigin) {
  const agents = Array.from({ length: count }, (_, at) =>
    spawn(
      '/usr/bin/python3',
      ['-c', NAIVE_AGENT, connect, '/naive', origin.directory, join(directory, `naive-${at}`)],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    ),
  );
  const publish = (commitId: string) => ['/usr/bin/python3', '-c', NAIVE_PUBLISHER, connect, '/naive', commitId];
  return talking('naive: kazoo + git pull', '/naive', agents, directory, publish);
}

async function bareNode(count: number, connect: string, directory: string, origin: GitOrigin) {
  const script = join(directory, 'bare-agent.cjs');
  writeFileSync(script, BARE_NODE_AGENT);
  const agents = Array.from({ length: count }, (_, at) =>
    spawn(process.execPath, [script, connect, '/bare', origin.url, join(directory, `bare-${at}`), CLIENT], {
      stdio: ['ignore', 'pipe', 'inherit'],
    }),
  );
  const publisher = join(directory, 'publish.cjs');
  writeFileSync(publisher, BARE_PUBLISHER);
  const publish = (commitId: string) => [process.execPath, publisher, connect, '/bare', commitId, CLIENT];
  return talking('bare: Node + git fetch', '/bare', agents, directory, publish);
}

const CLIENT = join(process.cwd(), 'node_modules/node-zookeeper-client');

/** Agents that print `ready`, and each commit that they are at. */
async function talking(
  name: string,
  config: string,
  agents: readonly ChildProcessByStdio<null, Readable, null>[],
  directory: string,
  publish: (commitId: string) => readonly string[],
): Promise<Fleet> {
  const shown: string[] = [];
  let check = () => {};
  for (const [at, agent] of agents.entries()) {
    createInterface(agent.stdout).on('line', (line) => {
      shown[at] = line;
      check();
    });
  }
  const all = (commitId: string) =>
    new Promise<void>((resolve) => {
      check = () => {
        if (agents.every((_, at) => shown[at] === commitId)) resolve();
      };
      check();
    });
  await all('ready');
  return {
    name,
    config,
    pids: agents.map((agent) => agent.pid as number),
    arrived: all,
    publish(commitId) {
      const [program = '', ...args] = publish(commitId);
      return runMeasured(program, args, directory);
    },
    stop: () => end(agents),
  };
}

async function ours(count: number, connect: string, directory: string, origin: GitOrigin): Promise<Fleet> {
  const here = ['-z', connect, '--app', APP];
  const run = (...args: string[]) => runMeasured(process.execPath, [MAIN, ...args, ...here], directory);
  await run('init', '--open');
  const roots = Array.from({ length: count }, (_, at) => join(directory, `agent-${at}`, 'root'));
  let check = () => {};
  const children = roots.map((root, at) => {
    mkdirSync(root, { recursive: true });
    const log = openSync(join(root, '..', 'agent.log'), 'a');
    const args = ['agent', 'run', '--id', `web-${at}`, '--root', root, '--state', join(root, '..', 'state')];
    return spawn(process.execPath, [MAIN, ...args, '--allow-url', 'file:///', ...here], {
      stdio: ['ignore', log, log],
    });
  });
  const watchers = roots.map((root) => watch(root, () => check()));
  const shown = (root: string) => {
    try {
      return basename(readlinkSync(join(root, 'shop')));
    } catch {
      return null;
    }
  };
  return {
    name: 'gitfleet',
    config: `${APP}/config`,
    pids: children.map((child) => child.pid as number),
    arrived(commitId) {
      const missing = new Set(roots);
      return new Promise<void>((resolve) => {
        check = () => {
          for (const root of missing) if (shown(root) === commitId) missing.delete(root);
          if (missing.size === 0) resolve();
        };
        check();
      });
    },
    publish: (commitId) =>
      run('publish', commitId, '--url', origin.url, '--relative-path', 'shop', '--detach', '--no-check'),
    async stop() {
      for (const watcher of watchers) watcher.close();
      await end(children);
    },
  };
}

async function end(children: readonly ChildProcess[]): Promise<void> {
  await Promise.all(
    children.map(async (child) => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await gone;
    }),
  );
}

function print(count: number, rows: readonly (readonly [string, Figures])[]): void {
  const row = (...cells: string[]) =>
    console.log(cells.map((cell, at) => (at ? cell.padStart(12) : cell.padEnd(26))).join(''));
  const origin = PACKED ? 'packed origin' : 'origin as pushes leave it';
  console.log(`\n${count} agents, ${ROUNDS} rounds, ${FILES} files of which 2 change, ${origin}; medians, ms\n`);
  row('', 'command', 'min', 'write', 'min', 'cpu each', 'until rest');
  for (const [name, { command, write, cpu, cpuRest }] of rows) {
    const cells = [
      median(command),
      Math.min(...command),
      median(write),
      Math.min(...write),
      median(cpu),
      median(cpuRest),
    ];
    row(name, ...cells.map((cell) => cell.toFixed(cell < 100 ? 1 : 0)));
  }
  const [theirs, bare, own] = rows.map(([, figures]) => figures) as [Figures, Figures, Figures];
  const ratio = (one: Figures, to: Figures, of: 'command' | 'write') => (median(one[of]) / median(to[of])).toFixed(2);
  const promised = PROMISED[count] === undefined ? '' : ` (promised: at most ${PROMISED[count].toFixed(1)})`;
  const said = (one: Figures, to: Figures) => `${ratio(one, to, 'command')}; from the write ${ratio(one, to, 'write')}`;
  console.log(`\npublish to last of ${count}, times the naive version: ${said(own, theirs)}${promised}`);
  console.log(
    `the bare one, times the naive version: ${said(bare, theirs)}; gitfleet, times the bare one: ${said(own, bare)}`,
  );
}

const { ZOOKEEPER_HOME, JAVA_HOME, PATH } = process.env;
const distribution = await findDistribution({ ZOOKEEPER_HOME, JAVA_HOME, PATH });
if ('missing' in distribution) throw new Error(distribution.missing);
for (const count of COUNTS.length > 0 ? COUNTS : [1, 10, 50]) {
  const { path, remove } = temporaryDirectory('bench-fleet-zookeeper');
  const servers = await startServers({ count: 1, distribution, directory: join(path, 'zookeeper'), clock });
  try {
    await measure(count, servers.connectString);
  } finally {
    await servers.stop();
    remove();
  }
}
