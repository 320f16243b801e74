import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock as clock, systemRandom as random } from '../runtime/clock.ts';
import { createLog } from '../runtime/log.ts';
import { findDistribution, type LocalServers, startServers } from '../zookeeper/local/servers.ts';
import { openSession } from '../zookeeper/open-session.ts';
import { kazooLine } from './zk-kazoo.ts';

/**
 * A thousand watching sessions in one process, ours next to the bare client on the same server: how long they take to
 * connect, what they weigh, how long one set takes to reach them all with the new data read back, what processor time
 * that costs this process, and how they come back after a full outage. Loopback, no fsync, client and server on the
 * same cores: ratios matter and not milliseconds.
 *
 * Both sides do the same job and have the same check of what arrived. Bare: `getData` with a watcher, and on the event
 * the same again; no deadline, no watch on silence, no second look, which is what its users write. Ours: `watch` with
 * `for await`. The sides take turns of some sets each, a turn for a turn, so that what else the machine does hits both
 * and each side pays for its own garbage; the one set of a round is ours on both sides.
 *
 * Arguments: `--sessions=1000 --rounds=60 --servers=1 --outage=0` (1 is the default: the servers go away at the end).
 */
const wanted = (name: string, or: number) =>
  Number(process.argv.find((arg) => arg.startsWith(`--${name}=`))?.split('=')[1] ?? or);
const SESSIONS = wanted('sessions', 1_000);
const ROUNDS = wanted('rounds', 60);
const OUTAGE = wanted('outage', 1) > 0;
const SETS_IN_A_TURN = 5;
const SERVERS = wanted('servers', 1) === 3 ? 3 : 1;
const TIMEOUT_MS = 15_000;
const VALUE = (n: number) => Buffer.from(String(n).padEnd(2_000, ' '));
const log = createLog({ level: 'silent' });

/** What one side can do; `seen` is told of every value that a session has read. */
interface Side {
  readonly name: string;
  connectAll(connect: string, path: string, seen: (value: number) => void): Promise<void>;
  connected(): number;
  closeAll(): Promise<void>;
}

function ours(): Side {
  let sessions: ReturnType<typeof openSession>[] = [];
  const stops: AbortController[] = [];
  return {
    name: 'gitfleet',
    async connectAll(connect, path, seen) {
      const options = { connect, sessionTimeoutMs: TIMEOUT_MS, defaultAcl: 'open' as const, clock, random, log };
      sessions = Array.from({ length: SESSIONS }, () => openSession(options));
      for (const session of sessions) {
        const stop = new AbortController();
        stops.push(stop);
        void (async () => {
          for await (const snapshot of session.watch(path, { signal: stop.signal })) {
            if (snapshot.exists) seen(Number(snapshot.data));
          }
        })();
      }
      await Promise.all(sessions.map((session) => session.connected()));
    },
    connected: () => sessions.filter((session) => session.state === 'connected').length,
    async closeAll() {
      for (const stop of stops) stop.abort();
      await Promise.all(sessions.map((session) => session.close()));
    },
  };
}

interface BareClient {
  once(event: string, listener: () => void): void;
  connect(): void;
  close(): void;
  getData(path: string, watcher: () => void, callback: (error: Error | null, data?: Buffer) => void): void;
  getState(): { name: string };
}

function bare(): Side {
  const { createClient } = createRequire(import.meta.url)('node-zookeeper-client') as {
    createClient(connect: string, options: object): BareClient;
  };
  let clients: BareClient[] = [];
  return {
    name: 'bare client',
    async connectAll(connect, path, seen) {
      clients = Array.from({ length: SESSIONS }, () => createClient(connect, { sessionTimeout: TIMEOUT_MS }));
      const up = clients.map((client) => new Promise<void>((resolve) => client.once('connected', resolve)));
      for (const client of clients) {
        const read = () =>
          client.getData(path, read, (error, data) => {
            if (!error) seen(Number(data));
          });
        client.connect();
        client.once('connected', read);
      }
      await Promise.all(up);
    },
    connected: () => clients.filter((client) => client.getState().name === 'SYNC_CONNECTED').length,
    async closeAll() {
      for (const client of clients) client.close();
      await clock.sleep(500);
    },
  };
}

interface Figures {
  connectMs: number;
  rssMb: number;
  heapMb: number;
  setMs: number[];
  /** Of this process, in microseconds per session and set; one figure for each turn. */
  cpuUs: number[];
  backMs: number;
  peakPerSecond: number;
  back: number;
}

async function measure(servers: LocalServers): Promise<void> {
  const admin = openSession({ connect: servers.connectString, defaultAcl: 'open', clock, random, log });
  const sides = [bare(), ours()];
  const figures = new Map<Side, Figures>();
  const arrived = new Map<Side, { value: number; count: number; all: () => void }>();

  for (const side of sides) {
    const path = pathOf(side);
    await admin.create(path, VALUE(0), 'persistent');
    const state = { value: 0, count: 0, all: () => {} };
    arrived.set(side, state);
    const before = memory();
    const start = clock.monotonic();
    const all = arrival(state, 0);
    await side.connectAll(servers.connectString, path, (value) => {
      if (value === state.value && ++state.count === SESSIONS) state.all();
    });
    const connectMs = clock.monotonic() - start;
    await all;
    const after = memory();
    const grown = { rssMb: after.rss - before.rss, heapMb: after.heap - before.heap };
    figures.set(side, { connectMs, ...grown, setMs: [], cpuUs: [], backMs: 0, peakPerSecond: 0, back: 0 });
  }

  let value = 0;
  for (let turn = 0; turn < ROUNDS / SETS_IN_A_TURN; turn++) {
    for (const side of turn % 2 ? sides : sides.toReversed()) {
      const { setMs, cpuUs } = figures.get(side) as Figures;
      const usage = process.cpuUsage();
      for (let set = 0; set < SETS_IN_A_TURN; set++) {
        const all = arrival(arrived.get(side) as never, ++value);
        const start = clock.monotonic();
        await admin.set(pathOf(side), VALUE(value), -1);
        await all;
        setMs.push(clock.monotonic() - start);
        await clock.sleep(20);
      }
      const { user, system } = process.cpuUsage(usage);
      cpuUs.push((user + system) / SETS_IN_A_TURN / SESSIONS);
    }
  }

  for (const side of OUTAGE ? sides : []) {
    const other = sides.find((one) => one !== side) as Side;
    if (side === sides[1]) await other.closeAll(); // Its turn is over; alone each meets the same server.
    Object.assign(figures.get(side) as Figures, await outage(servers, side));
  }
  print(sides.map((side) => [side.name, figures.get(side) as Figures]));
  await Promise.all((OUTAGE ? sides.slice(1) : sides).map((side) => side.closeAll()));
  await admin.close();
}

const pathOf = (side: Side) => `/${side.name.replace(' ', '-')}`;

function arrival(state: { value: number; count: number; all: () => void }, value: number): Promise<void> {
  return new Promise((resolve) => Object.assign(state, { value, count: 0, all: resolve }));
}

/** Every server is down for five seconds and comes back; sessions outlive that. */
async function outage(servers: LocalServers, side: Side): Promise<Pick<Figures, 'backMs' | 'peakPerSecond' | 'back'>> {
  await Promise.all(servers.servers.map((server) => server.stop()));
  await clock.sleep(5_000);
  await Promise.all(servers.servers.map((server) => server.start()));
  const start = clock.monotonic();
  let peakPerSecond = 0;
  // The bare client's sessions stay dead once expired: not all of them may come back.
  for (let before = side.connected(); before < SESSIONS && clock.monotonic() - start < 60_000; ) {
    await clock.sleep(100);
    const now = side.connected();
    peakPerSecond = Math.max(peakPerSecond, (now - before) * 10);
    before = now;
  }
  return { backMs: clock.monotonic() - start, peakPerSecond, back: side.connected() };
}

function memory() {
  (globalThis as { gc?: () => void }).gc?.();
  const { rss, heapUsed } = process.memoryUsage();
  return { rss: rss / 2 ** 20, heap: heapUsed / 2 ** 20 };
}

const middle = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number;

function print(rows: [string, Figures][]): void {
  const head = ['', 'connect all', 'RSS', 'heap', 'heap each', 'set to all: min', 'median', 'max', 'cpu each'];
  if (OUTAGE) head.push('back after outage', 'peak connects');
  const table = rows.map(([name, f]) => [
    name,
    `${f.connectMs.toFixed(0)} ms`,
    `+${f.rssMb.toFixed(0)} MB`,
    `+${f.heapMb.toFixed(0)} MB`,
    `${((f.heapMb * 1_024) / SESSIONS).toFixed(1)} KB`,
    `${Math.min(...f.setMs).toFixed(1)} ms`,
    `${middle(f.setMs).toFixed(1)} ms`,
    `${Math.max(...f.setMs).toFixed(1)} ms`,
    `${middle(f.cpuUs).toFixed(1)} us`,
    ...(OUTAGE ? [`${f.back} in ${(f.backMs / 1_000).toFixed(1)} s`, `${f.peakPerSecond}/s`] : []),
  ]);
  const widths = head.map((_, at) => Math.max(...[head, ...table].map((row) => row[at]?.length ?? 0)));
  console.log(`\n${SESSIONS} sessions in one process, ${SERVERS} server(s), a value of 2 KB, ${ROUNDS} rounds\n`);
  for (const row of [head, ...table])
    console.log(row.map((cell, at) => cell.padStart(widths[at] as number)).join('  '));
  const [bareRow, oursRow] = rows as [[string, Figures], [string, Figures]];
  const ratio = (of: 'setMs' | 'cpuUs') => (middle(oursRow[1][of]) / middle(bareRow[1][of])).toFixed(2);
  console.log(`\none set to all, ours to bare, medians: ${ratio('setMs')} (promised: at most 1.10)`);
  console.log(`processor time of this process for it, ours to bare, medians: ${ratio('cpuUs')}`);
}

const { ZOOKEEPER_HOME, JAVA_HOME, PATH } = process.env;
const distribution = await findDistribution({ ZOOKEEPER_HOME, JAVA_HOME, PATH });
if ('missing' in distribution) throw new Error(distribution.missing);
const directory = await mkdtemp(join(tmpdir(), 'gitfleet-bench-zk-'));
const servers = await startServers({ count: SERVERS, distribution, directory, clock });
try {
  await measure(servers);
  console.log(kazooLine(servers.connectString, ROUNDS));
} finally {
  await servers.stop();
  await rm(directory, { recursive: true, force: true });
}
