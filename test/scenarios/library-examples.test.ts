import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { ensureTasks, submitTask } from '../../zookeeper/recipes/tasks.ts';
import { ensureWorkQueue, putItem } from '../../zookeeper/recipes/work-queue.ts';
import { cleanEnvironment, gitfleet } from '../support/commands.ts';
import { proxiesForTest } from '../support/proxy.ts';
import { SEED, SOAK, seeded } from '../support/seeded.ts';
import { ownAddress } from '../support/services/web.ts';
import { sessionsForTest } from '../support/zookeeper/session.ts';
import { sharedServer } from '../support/zookeeper/shared.ts';

/* Each program of examples/library, compiled as a user would and run as a process against a real server. */
const ROOT = join(import.meta.dirname, '../..');
const EXAMPLES = join(ROOT, 'examples/library');
const wide = { timeout: 60_000 };
const servers = sharedServer();
const open = sessionsForTest();
const openProxy = proxiesForTest();
const running = new Set<ChildProcess>();
let project: string;

beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), 'gitfleet-examples-'));
  mkdirSync(join(project, 'node_modules/@types'), { recursive: true });
  symlinkSync(ROOT, join(project, 'node_modules/gitfleet'));
  symlinkSync(join(ROOT, 'node_modules/@types/node'), join(project, 'node_modules/@types/node'));
  writeFileSync(join(project, 'package.json'), '{ "type": "module" }');
  const compilerOptions = {
    strict: true,
    target: 'es2023',
    module: 'nodenext',
    rootDir: EXAMPLES,
    outDir: 'out',
    types: ['node'],
  };
  const paths = { gitfleet: [join(project, 'node_modules/gitfleet/dist/types/library/index.d.ts')] };
  const typeRoots = [join(project, 'node_modules/@types')];
  const options = { compilerOptions: { ...compilerOptions, paths, typeRoots }, include: [`${EXAMPLES}/*.ts`] };
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify(options));
  execFileSync(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', project], { stdio: 'inherit' });
});
afterEach(() => {
  for (const child of running) child.kill('SIGKILL');
});
afterAll(() => rmSync(project, { recursive: true, force: true }));

function start(name: string, words: string[] = [], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [join(project, 'out', `${name}.js`), ...words], {
    env: cleanEnvironment({ ZOOKEEPER: servers.connect(), ...env }),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  running.add(child);
  const lines: string[] = [];
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n');
    rest = parts.pop() as string;
    lines.push(...parts);
  });
  const ended = new Promise<string | number | null>((resolve) => {
    child.once('close', (code, signal) => {
      running.delete(child);
      resolve(signal ?? code);
    });
  });
  return { child, lines, ended };
}

async function stopped({ child, ended }: ReturnType<typeof start>): Promise<void> {
  child.kill('SIGTERM');
  expect(await ended).toBe(0);
}

it('has a case for each program', () => {
  const programs = readdirSync(EXAMPLES).map((name) => name.replace('.ts', ''));
  const known = ['barrier', 'cache-servers', 'configuration', 'feature-switch', 'key-watcher', 'queue'];
  const ofServices = ['call-service', 'register-service'];
  expect(programs.toSorted()).toEqual([...known, ...ofServices, 'stops-sending', 'update-stack', 'workers'].toSorted());
});

it('key-watcher prints each new value, before and after the key exists', async () => {
  const session = open(servers.connect());
  const watcher = start('key-watcher', ['/shop/banner']);
  await expect.poll(() => watcher.lines, wide).toEqual(['/shop/banner is not there']);
  await session.ensure('/shop');
  await session.create('/shop/banner', Buffer.from('sale'), 'persistent');
  await expect.poll(() => watcher.lines.at(-1), wide).toBe('/shop/banner is sale');
  await session.set('/shop/banner', Buffer.from('over'), 0);
  await expect.poll(() => watcher.lines.at(-1), wide).toBe('/shop/banner is over');
  await stopped(watcher);
});

const [TASKS, WORKERS, WORKER_KILLS] = SOAK ? [200, 6, 50] : [12, 3, 4];
it(`workers keep one result of each of ${TASKS} tasks, while ${WORKER_KILLS} are killed, the leader every other time`, {
  timeout: 900_000,
}, async () => {
  const chance = seeded(SEED);
  const session = open(servers.connect());
  const env = { SESSION_TIMEOUT: '2s', WORK_MS: '400' };
  const path = '/shop/tasks';
  const all: ReturnType<typeof start>[] = [];
  const alive = () => all.filter(({ child }) => child.exitCode === null && child.signalCode === null);
  const leader = () => alive().find(({ lines }) => lines.findLast((line) => /leading$/.test(line)) === 'leading');
  const begun = () => all.flatMap(({ lines }) => lines.filter((line) => line.startsWith('working on '))).length;
  const refill = () => {
    while (alive().length < WORKERS) all.push(start('workers', [], env));
  };
  refill();
  await ensureTasks(session, { path });
  const made = new Map<string, bigint>();
  const stop = new AbortController();
  const watching = (async () => {
    for await (const list of session.watchChildren(`${path}/results`, { signal: stop.signal })) {
      for (const id of list.exists ? list.names.filter((name) => !made.has(name)) : [])
        made.set(id, (await session.exists(`${path}/results/${id}`))?.czxid ?? 0n);
    }
  })().catch(() => {});
  const ids: string[] = [];
  const submits = ['a', 'b'].map((name) => start('workers', ['submit', name]));
  for (let kill = 0; kill < WORKER_KILLS; kill++) {
    const before = begun();
    while (ids.length < Math.ceil(((TASKS - submits.length) * (kill + 1)) / WORKER_KILLS))
      ids.push(await submitTask(session, { path }, Buffer.from(`task-${ids.length}`)));
    await expect.poll(() => leader() !== undefined && begun() > before, wide).toBe(true);
    const isLeaderNext = kill % 2 === 0;
    const victim = chance.pick(alive().filter((each) => (each === leader()) === isLeaderNext));
    victim.child.kill('SIGKILL');
    await victim.ended;
    refill();
  }
  for (const submit of submits) expect(await submit.ended).toBe(0);
  expect(submits.flatMap(({ lines }) => lines).join()).toMatch(/^done: a at attempt \d+,done: b at attempt \d+$/);
  await expect.poll(() => session.children(`${path}/tasks`), { timeout: 120_000 }).toEqual([]);
  const results = (await session.children(`${path}/results`)) ?? [];
  expect(results).toHaveLength(TASKS);
  expect(results).toEqual(expect.arrayContaining(ids));
  // Each was made once: never written again, never removed and made again.
  stop.abort();
  await watching;
  for (const id of results) {
    const stat = await session.exists(`${path}/results/${id}`);
    expect([id, stat?.version, stat?.czxid]).toEqual([id, 0, made.get(id) ?? stat?.czxid]);
  }
  expect([...made.keys()].filter((id) => !results.includes(id))).toEqual([]);
  expect(made.size).toBeGreaterThan(TASKS / 2);
  for (const folder of ['failed', 'claims']) expect(await session.children(`${path}/${folder}`)).toEqual([]);
  for (const { child, ended } of alive()) {
    child.kill('SIGKILL');
    await ended;
  }
});

it('configuration takes what is right, and keeps it where the next one is wrong', async () => {
  const session = open(servers.connect());
  const program = start('configuration');
  await expect.poll(() => program.lines, wide).toEqual(['kept: {"timeoutMs":1000,"banner":""}']);
  await session.ensure('/shop');
  const right = '{"timeoutMs":50,"banner":"x"}';
  await session.create('/shop/configuration', Buffer.from(right), 'persistent');
  await expect.poll(() => program.lines.at(-1), wide).toBe(`in use: ${right}`);
  await session.set('/shop/configuration', Buffer.from('{"timeoutMs":-1,"banner":""}'), 0);
  await expect.poll(() => program.lines.at(-1), wide).toBe(`kept: ${right}`);
  await stopped(program);
});

it('feature-switch shows each flip, and starts without ZooKeeper with what it was', async () => {
  const app = '/app/switched';
  const verb = (...words: string[]) => gitfleet([...words, '-z', servers.connect(), '--app', app]);
  expect(await verb('init', '--open')).toMatchObject({ exitCode: 0 });
  expect(await verb('flag', 'set', 'checkout', 'on')).toMatchObject({ exitCode: 0 });
  const file = join(project, 'flags.json');
  const program = start('feature-switch', [], { APP: app, FLAGS_FILE: file });
  await expect.poll(() => program.lines.at(-1), wide).toBe('ready: checkout on, banner off for user-17');
  expect(program.lines[0]).toBe('none: checkout off, banner off for user-17');
  await verb('flag', 'set', 'banner', '100%');
  await expect.poll(() => program.lines.at(-1), wide).toBe('ready: checkout on, banner on for user-17');
  await verb('flag', 'set', 'checkout', 'off');
  await expect.poll(() => program.lines.at(-1), wide).toBe('ready: checkout off, banner on for user-17');
  await stopped(program);
  // As an agent of this server leaves it there.
  const document = await open(servers.connect()).get(`${app}/flags`);
  writeFileSync(file, document?.data as Buffer);
  const away = start('feature-switch', [], { APP: app, FLAGS_FILE: file, ZOOKEEPER: '127.0.0.1:1' });
  await expect.poll(() => away.lines, wide).toEqual(['stale: checkout off, banner on for user-17']);
  await stopped(away);
});

it('cache-servers lists the servers that are complete', async () => {
  const session = open(servers.connect());
  const add = async (name: string, host: string, port: string) => {
    await session.ensure(`/servers/cache/${name}`);
    await session.create(`/servers/cache/${name}/host`, Buffer.from(host), 'persistent');
    await session.create(`/servers/cache/${name}/port`, Buffer.from(port), 'persistent');
  };
  await add('c6', '10.0.0.6', '11211');
  const program = start('cache-servers');
  await expect.poll(() => program.lines.at(-1), wide).toBe('["10.0.0.6:11211"]');
  await add('c7', '10.0.0.7', 'none');
  await add('c8', '10.0.0.8', '11212');
  await session.set('/servers/cache', Buffer.from('touched'), 0);
  await expect.poll(() => program.lines.at(-1), wide).toBe('["10.0.0.6:11211","10.0.0.8:11212"]');
  await session.removeTree('/servers/cache/c6');
  await expect.poll(() => program.lines.at(-1), wide).toBe('["10.0.0.8:11212"]');
  await stopped(program);
});

it('update-stack loses no update of eight programs at a time', async () => {
  const programs = Array.from({ length: 8 }, (_, n) => start('update-stack', [`item-${n}`]));
  for (const program of programs) expect(await program.ended).toBe(0);
  const found = await open(servers.connect()).get('/shop/stack');
  expect(JSON.parse(String(found?.data)).toSorted()).toEqual(Array.from({ length: 8 }, (_, n) => `item-${n}`));
});

it('barrier holds those who wait until it is released', async () => {
  expect(await start('barrier', ['hold']).ended).toBe(0);
  const waiting = [1, 2].map(() => start('barrier', ['wait']));
  const again = start('barrier', ['hold']);
  await again.ended;
  expect([again.lines, ...waiting.map(({ lines }) => lines)]).toEqual([['held already'], [], []]);
  const release = start('barrier', ['release']);
  await release.ended;
  for (const each of waiting) expect(await each.ended).toBe(0);
  expect([release.lines, ...waiting.map(({ lines }) => lines)]).toEqual([['released'], ['passed'], ['passed']]);
});

it('queue hands out what was put, in order', async () => {
  for (const text of ['a', 'b']) expect(await start('queue', ['put', text]).ended).toBe(0);
  const taker = start('queue');
  await expect.poll(() => taker.lines, wide).toEqual(['sent a at attempt 1', 'sent b at attempt 1']);
  await stopped(taker);
});

const [ITEMS, TAKERS, KILLS] = SOAK ? [1_000, 10, 100] : [60, 3, 4];
it(`queue loses none of ${ITEMS} items, while ${KILLS} takers are killed, and hands out again only what was not done`, {
  timeout: 600_000,
}, async () => {
  const chance = seeded(SEED);
  const session = open(servers.connect());
  const env = { SESSION_TIMEOUT: '2s' };
  const all: ReturnType<typeof start>[] = [];
  const alive = () => all.filter(({ child }) => child.exitCode === null && child.signalCode === null);
  const sent = () => all.flatMap(({ lines }) => lines.filter((line) => line.startsWith('sent ')));
  const refill = () => {
    while (alive().length < TAKERS) all.push(start('queue', [], env));
  };
  await ensureWorkQueue(session, { path: '/shop/mails' });
  const put = async (text: string) => await putItem(session, { path: '/shop/mails' }, Buffer.from(text));
  refill();
  for (let kill = 0, next = 0; kill < KILLS; kill++) {
    for (const end = Math.ceil((ITEMS * (kill + 1)) / KILLS); next < end; next++) await put(`item-${next}`);
    await expect.poll(() => sent().length, wide).toBeGreaterThan((ITEMS * kill) / KILLS);
    const victim = chance.pick(alive());
    victim.child.kill('SIGKILL');
    await victim.ended;
    refill();
  }
  const numbers = () => new Set(sent().map((line) => line.split(' ')[1]));
  await expect.poll(() => numbers().size, { timeout: 120_000 }).toBe(ITEMS);
  await expect.poll(() => session.children('/shop/mails/items'), wide).toEqual([]);
  // Once more only at another attempt: what was done is handed out to none.
  expect(sent().length).toBe(new Set(sent()).size);
  expect(await session.children('/shop/mails/failed')).toEqual([]);
  for (const { child, ended } of alive()) {
    // One that has just started hears no SIGTERM yet.
    child.kill('SIGKILL');
    await ended;
  }
});

it('stops-sending stops before another program begins', async () => {
  const proxy = await openProxy(servers);
  const first = start('stops-sending', [], { ZOOKEEPER: proxy.connect, SESSION_TIMEOUT: '2s' });
  await expect.poll(() => first.lines, wide).toContain('sending');
  const second = start('stops-sending');
  await expect.poll(() => second.lines, wide).toContain('connected');
  await proxy.mode('drop');
  await expect
    .poll(() => first.lines.at(-1), { timeout: 60_000, interval: 5 })
    .toMatch(/stopped sending|suspended|lost/);
  await expect.poll(() => first.lines, { timeout: 60_000, interval: 5 }).toContain('stopped sending');
  expect(second.lines).not.toContain('sending');
  await expect.poll(() => second.lines, wide).toContain('sending');
  await stopped(second);
});

it('call-service loses no request while the instances of register-service leave and come', async () => {
  const cache = join(project, 'cache');
  mkdirSync(cache);
  const HOST = ownAddress();
  const first = start('register-service', [], { HOST });
  await expect.poll(() => first.lines, wide).toContain('registered: true');
  const caller = start('call-service', [], { CACHE: cache, PAUSE_MS: '2' });
  const answers = ({ child }: { child: ChildProcess }) => `answered by ${child.pid}`;
  await expect.poll(() => caller.lines, wide).toContain(answers(first));
  const second = start('register-service', [], { HOST });
  await expect.poll(() => caller.lines, wide).toContain(answers(second));
  await stopped(first);
  expect(first.lines.at(-1)).toBe('left, 0 did not acknowledge');
  const before = caller.lines.length;
  await expect.poll(() => caller.lines.length, wide).toBeGreaterThan(before + 10);
  await stopped(caller);
  expect(caller.lines.filter((line) => !line.startsWith('answered by'))).toEqual([]);
  // The next one has the list from disk, while ZooKeeper is away.
  const away = start('call-service', [], { CACHE: cache, PAUSE_MS: '2', ZOOKEEPER: '127.0.0.1:9' });
  await expect.poll(() => away.lines.at(-1), wide).toBe(answers(second));
  await stopped(away);
  await stopped(second);
});
