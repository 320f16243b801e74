import { join } from 'node:path';
import { systemClock as clock, systemRandom as random } from '../runtime/clock.ts';
import { createLog } from '../runtime/log.ts';
import { createOrigin, temporaryDirectory } from '../test/support/git/origin.ts';
import { findDistribution, startServers } from '../zookeeper/local/servers.ts';
import { openSession } from '../zookeeper/open-session.ts';
import type { Session } from '../zookeeper/session.ts';
import { bareNode, type Fleet, naive, ours } from './fleet-kinds.ts';
import { ORIGINS, type OriginKind, serveOrigin } from './fleet-origins.ts';
import { cpuOfAll, median } from './measured.ts';

/**
 * From publish to the last of 1, 10, 50 agent processes, next to two others in the same run: the naive version, a kazoo
 * watch per server that runs `git pull`, and the bare one, the least that Node and git can do. A small repository,
 * everything on this machine; the same commit for all, turn by turn, each while the others rest. `command`: from the
 * start of the program that publishes (`gitfleet publish --detach`; for the others a script that sets a znode, with
 * kazoo for the naive version and with Node for the bare one); `write`: from ZooKeeper's time of the write. Arrived: the
 * link shows the commit; `git pull` has ended. CPU is of an agent and of all its children: until the last agent has
 * arrived, and until all rest again. What the git server needs counts in the times, not in the CPU of an agent.
 *
 * Arguments: numbers of agents (default 1 10 50) and
 * - `--rounds=7`;
 * - `--origin=file|git|http|ssh`: how all of them reach the repository (fleet-origins.ts);
 * - `--kex=curve25519-sha256`: with ssh, the only key exchange that the server offers;
 * - `--rest`: all agents are done with what follows a deployment before the next turn begins; without it they only pause;
 * - `--check`: our publisher asks the origin for the commit, as by default, instead of `--no-check`;
 * - `--bundle`: our publisher puts the objects of each change into ZooKeeper, and our agents take them from there, in an
 *   app with access lists and signed targets; run it as root, to whom the list of signers belongs;
 * - `--against=FILE`: dist/cli/main.cjs of another build, for a fourth fleet;
 * - `--packed`: the origin packs its objects before each publish, so that our agents have to fetch by git also from a
 *   directory.
 */
const PROMISED: Readonly<Record<number, number>> = { 1: 1.2, 10: 1, 50: 1 };
const FILES = 200;
const words = process.argv.slice(2).flatMap((word) => word.split('='));
const after = (name: string) => (words.includes(name) ? words[words.indexOf(name) + 1] : undefined);
const ROUNDS = Number(after('--rounds') ?? 7);
const ORIGIN = (after('--origin') ?? 'file') as OriginKind;
const KEX = after('--kex');
const AGAINST = after('--against');
const PACKED = words.includes('--packed');
const REST = words.includes('--rest');
const CHECK = words.includes('--check');
const BUNDLE = words.includes('--bundle');
const COUNTS = words.filter((word, at) => /^\d+$/.test(word) && words[at - 1] !== '--rounds').map(Number);

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
  const repository = createOrigin(join(directory, 'origin', 'shop.git'));
  const origin = await serveOrigin(ORIGIN, repository, directory, KEX);
  try {
    const files = Array.from({ length: FILES }, (_, n) => [`src/${n}.txt`, text(n)]);
    const first = repository.commit(Object.fromEntries(files));
    for (const config of ['/naive', '/bare']) await session.create(config, Buffer.alloc(0), 'persistent');
    const surroundings = {
      count,
      connect,
      directory,
      repository: repository.directory,
      origin,
      check: CHECK,
      bundle: BUNDLE,
    };
    fleets.push(await naive(surroundings), await bareNode(surroundings));
    fleets.push(await ours(surroundings, join(process.cwd(), 'dist/cli/main.cjs'), 'gitfleet'));
    if (AGAINST) fleets.push(await ours(surroundings, AGAINST, 'the other build'));
    const figures = new Map<Fleet, Figures>();
    for (const fleet of fleets) {
      figures.set(fleet, { command: [], write: [], cpu: [], cpuRest: [] });
      await turn(fleet, first, session, null);
    }
    // The first round only warms up.
    for (let round = 0; round <= ROUNDS; round++) {
      const commitId = repository.commit({ 'src/0.txt': `round ${round}\n`, 'src/1.txt': `round ${round} too\n` });
      if (PACKED) repository.git(['repack', '-adq']);
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
    await origin.stop();
    remove();
  }
}

const text = (n: number) => `file ${n}\n${'the quick brown fox jumps over the lazy dog\n'.repeat(20)}`;

async function turn(fleet: Fleet, commitId: string, session: Session, figures: Figures | null): Promise<void> {
  const cpu = () => fleet.pids.reduce((sum, pid) => sum + cpuOfAll(pid), 0) / fleet.pids.length;
  const before = cpu();
  const arrived = fleet.arrived(commitId).then(() => ({ at: clock.monotonic(), time: clock.now(), cpu: cpu() }));
  const started = clock.monotonic();
  const [last] = await Promise.all([arrived, fleet.publish(commitId)]);
  await rest(cpu, 10 / fleet.pids.length);
  const writtenAt = (await session.exists(fleet.config))?.mtime ?? Number.NaN;
  figures?.command.push(last.at - started);
  figures?.write.push(last.time - writtenAt);
  figures?.cpu.push(last.cpu - before);
  figures?.cpuRest.push(cpu() - before);
}

/** Longer than an agent waits, once the whole fleet is done, before it does what follows a deployment. */
const QUIET_MS = REST ? 6_000 : 1_500;

/**
 * Waits until the agents have done nothing for QUIET_MS, but for what sessions cost: what they do after a deployment is
 * theirs to pay. @param tick the least that the kernel counts, per agent.
 */
async function rest(cpu: () => number, tick: number): Promise<void> {
  const seen = [cpu()];
  const looks = QUIET_MS / 500;
  do {
    await clock.sleep(500);
    seen.push(cpu());
  } while (seen.length <= looks || (seen.at(-1) ?? 0) - (seen.at(-1 - looks) ?? 0) > Math.max(tick, 2));
}

function print(count: number, rows: readonly (readonly [string, Figures])[]): void {
  const row = (...cells: string[]) =>
    console.log(cells.map((cell, at) => (at ? cell.padStart(12) : cell.padEnd(26))).join(''));
  const origin = `origin by ${ORIGIN}${KEX ? ` (${KEX})` : ''}${PACKED ? ', packed' : ''}${BUNDLE ? ', bundles' : ''}`;
  const how = `${REST ? 'all rest' : 'a pause'} between publishes${CHECK ? ', publisher asks the origin' : ''}`;
  console.log(
    `\n${count} agents, ${ROUNDS} rounds, ${FILES} files of which 2 change, ${origin}, ${how}; medians, ms\n`,
  );
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
  const [theirs, bare, own, other] = rows.map(([, figures]) => figures) as [Figures, Figures, Figures, Figures?];
  const ratio = (one: Figures, to: Figures, of: keyof Figures) => (median(one[of]) / median(to[of])).toFixed(2);
  const promised = PROMISED[count] === undefined ? '' : ` (promised: at most ${PROMISED[count].toFixed(1)})`;
  const said = (one: Figures, to: Figures) =>
    `${ratio(one, to, 'command')}; from the write ${ratio(one, to, 'write')}; cpu ${ratio(one, to, 'cpuRest')}`;
  console.log(`\npublish to last of ${count}, times the naive version: ${said(own, theirs)}${promised}`);
  console.log(`the bare one, times the naive version: ${said(bare, theirs)}`);
  console.log(`gitfleet, times the bare one: ${said(own, bare)}`);
  if (other) console.log(`gitfleet, times the other build: ${said(own, other)}`);
}

if (!ORIGINS.includes(ORIGIN)) throw new Error(`--origin is one of ${ORIGINS.join(', ')}`);
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
