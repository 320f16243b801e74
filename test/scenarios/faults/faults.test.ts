import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Report } from '../../../schemas/report.ts';
import type { CommitId } from '../../../schemas/values.ts';
import { startTcpProxy, type TcpProxy, type Weather } from '../../git/tcp-proxy.ts';
import { type AgentHome, agentHome, type Life, spareOf, startLife } from '../../support/agent/agent-process.ts';
import { type LinkReaders, startLinkReaders } from '../../support/agent/link-readers.ts';
import { type GivenSettings, shownCommit, TestFleet } from '../../support/fleet.ts';
import { type GitDaemon, startGitDaemon } from '../../support/git/daemon.ts';
import { createOrigin, type GitOrigin } from '../../support/git/origin.ts';
import { commitTree, meant, type Node, onDisk } from '../../support/model-tree.ts';
import { processesIn } from '../../support/processes.ts';
import { until } from '../../support/until.ts';
import { sharedServer } from '../../support/zookeeper/shared.ts';

/**
 * What an agent does when its machine or its origin fails it: what is served is read without pause meanwhile, the
 * report says the code, and the agent goes on by itself when the cause ends.
 */
const servers = sharedServer();
let fleet: TestFleet;
let origin: GitOrigin;
let home: AgentHome;
let readers: LinkReaders;
let lives: Life[] = [];
let ends: (() => Promise<void> | void)[] = [];

beforeEach(async () => {
  fleet = await TestFleet.create(servers.connect());
  origin = createOrigin(join(fleet.directory, 'origin.git'));
  readers = startLinkReaders(fleet.directory);
});
afterEach(async ({ task }) => {
  if (task.result?.state === 'fail') console.log(readFileSync(home.logFile, 'utf8').split('\n').slice(-15).join('\n'));
  const { problems, tally } = await readers.seen();
  await readers.stop();
  await Promise.all(lives.map((life) => life.kill('SIGKILL')));
  for (const end of ends.reverse()) await end();
  [lives, ends] = [[], []];
  await fleet.stop();
  expect(problems).toEqual([]);
  expect(tally.samples).toBeGreaterThan(0);
});

const file = (content: string): Node => ({ kind: 'file', content, executable: false });
const noise = (bytes: number): Node => file(randomBytes(bytes).toString('latin1'));

function commit(tree: Record<string, Node>): CommitId {
  const commitId = commitTree(origin, new Map(Object.entries(tree)));
  readers.expect(commitId, new Map(Object.entries(tree)));
  return commitId;
}

/** An agent that shows `commitId`, read without pause from here on. */
async function showing(
  commitId: CommitId,
  options: { settings?: GivenSettings['agent']; directory?: string; url?: string; storeMayBeAway?: boolean } = {},
): Promise<void> {
  const allowUrls = [options.url ?? origin.url];
  const settings = { allowUrls, ...options.settings };
  home = agentHome(fleet, 'web-1', settings, options.directory === undefined ? {} : { directory: options.directory });
  start();
  await set(commitId, options.url);
  await active(commitId);
  await readers.watch(join(home.root, 'shop'), 60_000, { storeMayBeAway: options.storeMayBeAway ?? false });
}

function start(): Life {
  const life = startLife(home);
  lives.push(life);
  return life;
}

const set = (commitId: CommitId, url: string = origin.url) =>
  fleet.setConfig(JSON.stringify({ url, commitId, relativePath: 'shop' }));

async function active(commitId: CommitId): Promise<Report> {
  const fits = (report: Report) => report.phase === 'active' && report.activeCommit === commitId;
  const report = await fleet.reported('web-1', `${commitId} active`, fits, 90_000);
  expect(await shownCommit(home.root, 'shop')).toBe(commitId);
  return report;
}

const failed = (code: string) =>
  fleet.reported('web-1', code, (report) => report.phase === 'failed' && report.error?.code === code);

const spareReady = (commitId: CommitId) => until('the spare is ready', async () => spareOf(home) === commitId);

/** Halves and locks of a failed try, and the locks of a git that writes at this moment. */
const leftovers = () =>
  readdirSync(home.appState, { recursive: true, encoding: 'utf8' }).filter((name) =>
    /\.lock$|tmp_|\.keep$|\.making$|\.broken$|\.fresh$|\.suspect$/.test(name),
  );

/** After the report of a release its index and the next spare are written: only what stays is left over. */
const leavesNothing = () => expect.poll(leftovers, { timeout: 30_000 }).toEqual([]);

function asRoot(command: string, ...args: string[]): void {
  if (process.getuid?.() !== 0) throw new Error('this test mounts file systems: run it as root');
  execFileSync(command, args, { stdio: 'pipe' });
}

function mountTmpfs(options: string): string {
  const directory = join(fleet.directory, 'small');
  mkdirSync(directory);
  asRoot('mount', '-t', 'tmpfs', '-o', options, 'gitfleet-test', directory);
  ends.push(() => asRoot('umount', '-l', directory));
  return directory;
}

/** Takes all room but `left` bytes; the returned function gives it back. */
function fill(directory: string, left: number): () => void {
  const filler = join(directory, 'filler');
  const { bavail, bsize } = statfsSync(directory);
  const handle = openSync(filler, 'w');
  const chunk = Buffer.alloc(bsize, 'x');
  for (let blocks = bavail - Math.ceil(left / bsize); blocks > 0; blocks--) writeSync(handle, chunk);
  closeSync(handle);
  return () => unlinkSync(filler);
}

function fillNames(directory: string, left: number): () => void {
  const filler = join(directory, 'filler');
  mkdirSync(filler);
  for (let names = statfsSync(directory).ffree - left; names > 0; names--) writeFileSync(join(filler, `${names}`), '');
  return () => rmSync(filler, { recursive: true });
}

describe('a full disk (as root: mounts a small tmpfs)', () => {
  const small = { index: file('small'), 'd/e': file('deep') };
  const MB = 1024 ** 2;
  it.each([
    { what: 'to the last byte: not even the journal can be written', fills: (at: string) => fill(at, 0) },
    { what: 'while the fetch writes its pack', fills: (at: string) => fill(at, 0.5 * MB) },
    { what: 'while the whole tree is checked out', fills: (at: string) => fill(at, 4 * MB), withoutSpare: true },
    { what: 'while the difference is written', fills: (at: string) => fill(at, 4 * MB) },
    { what: 'of names (inodes)', fills: (at: string) => fillNames(at, 20), many: true },
  ])('$what', async ({ fills, withoutSpare, many }) => {
    const at = mountTmpfs('size=16m,nr_inodes=3000');
    const a = commit(small);
    await showing(a, { directory: at });
    if (!withoutSpare) await spareReady(a);
    const free = fills(at);
    const large = many
      ? Object.fromEntries(Array.from({ length: 300 }, (_, nth) => [`n/${nth}`, file(`${nth}`)]))
      : { noise: noise(3 * MB) };
    const b = commit({ ...small, ...large });
    await set(b);
    const report = await failed('NO_SPACE');
    expect(report).toMatchObject({ activeCommit: a, error: { next: 'retry' } });
    expect(await shownCommit(home.root, 'shop')).toBe(a);
    free();
    await active(b);
    await leavesNothing();
  });
});

describe('a disk that turned read-only (as root: mounts)', () => {
  it.each(['root', 'state'] as const)('below %s', async (which) => {
    const a = commit({ index: file('a') });
    await showing(a);
    const directory = home[which];
    // Read-only from its first instant: a mount through which the agent writes just then cannot be turned so.
    const aside = `${directory}.aside`;
    mkdirSync(aside);
    asRoot('mount', '--bind', directory, aside);
    let mounted = [aside];
    const unmount = () => {
      for (const each of mounted) asRoot('umount', '-l', each);
      mounted = [];
    };
    ends.push(unmount);
    asRoot('mount', '-o', 'remount,bind,ro', aside);
    asRoot('mount', '--bind', aside, directory);
    mounted.push(directory);
    const b = commit({ index: file('b') });
    await set(b);
    expect(await failed('READ_ONLY')).toMatchObject({ activeCommit: a, error: { next: 'retry' } });
    expect(await shownCommit(home.root, 'shop')).toBe(a);
    unmount();
    await active(b);
  });
});

describe('a line to the origin', () => {
  const cases: { what: string; weather: Weather; stallTimeout?: string; reason: RegExp }[] = [
    { what: 'that is silent', weather: { kind: 'silent' }, reason: /no progress for 1000 ms/ },
    {
      what: 'that drips',
      weather: { kind: 'drip', after: 30_000, bytes: 1, everyMs: 20 },
      reason: /no progress for 1000 ms/,
    },
    {
      what: 'that gets on, but would take for ever',
      weather: { kind: 'drip', after: 30_000, bytes: 20_000, everyMs: 200 },
      stallTimeout: '3s',
      reason: /not done after 4000 ms/,
    },
    { what: 'that is cut', weather: { kind: 'cut', after: 30_000 }, reason: /./ },
  ];
  it.each(cases)('$what: the fetch ends by its deadline, and the agent arrives when the line is good', async (one) => {
    const daemon: GitDaemon = await startGitDaemon(fleet.directory);
    ends.push(() => daemon.stop());
    const proxy: TcpProxy = await startTcpProxy(daemon.port);
    ends.push(() => proxy.stop());
    const url = `git://127.0.0.1:${proxy.port}/origin.git`;
    const a = commit({ index: file('a') });
    await showing(a, { url, settings: { fetch: { stallTimeout: one.stallTimeout ?? '1s', timeout: '4s' } } });
    proxy.weather = one.weather;
    const b = commit({ index: file('b'), noise: noise(2_000_000) });
    const began = performance.now();
    await set(b, url);
    const report = await failed('FETCH_FAILED');
    expect(performance.now() - began).toBeLessThan(20_000);
    expect(report).toMatchObject({ activeCommit: a, error: { next: 'retry' } });
    expect(report.error?.reason).toMatch(one.reason);
    // At most the fetch of the next try: the whole group of the one that was ended is gone.
    const fetches = () => processesIn(home.appState).filter(({ command }) => command.startsWith('git\0fetch'));
    await until('no more than one fetch runs', async () => fetches().length <= 1);
    proxy.weather = { kind: 'fair' };
    await active(b);
    await until('no fetch runs', async () => fetches().length === 0);
    await leavesNothing();
  });
});

const packs = (): string[] => {
  const directory = join(home.appState, 'store.git/objects/pack');
  return readdirSync(directory)
    .filter((name) => name.endsWith('.pack'))
    .map((name) => join(directory, name));
};

/** Bytes in the middle turn into others, as bits do that rot. */
function flip(pack: string): void {
  const bytes = readFileSync(pack);
  for (let at = 60; at < bytes.length - 30; at += 97) bytes[at] = (bytes[at] ?? 0) ^ 0xff;
  rmSync(pack, { force: true });
  writeFileSync(pack, bytes);
}

describe('a damaged object store', () => {
  const tree = Object.fromEntries(Array.from({ length: 40 }, (_, at) => [`d/f${at}`, file(`${at}\n`.repeat(200))]));
  it.each([
    { what: 'a pack truncated under the running agent', harm: halve, running: true },
    { what: 'a pack truncated while the agent was away', harm: halve, running: false },
    { what: 'rotten bits under the running agent', harm: flip, running: true },
    { what: 'rotten bits while the agent was away', harm: flip, running: false },
    { what: 'a pack that is gone', harm: unlinkSync, running: true },
  ])('$what: it is replaced, and the next commits arrive', async ({ harm, running }) => {
    const a = commit(tree);
    await showing(a, { storeMayBeAway: true });
    await spareReady(a);
    if (!running) await lives[0]?.kill('SIGTERM');
    for (const pack of packs()) harm(pack);
    const b = commit({ ...tree, 'd/f1': file('small change') });
    await set(b);
    if (!running) start();
    await active(b);
    const c = commit({ ...tree, 'd/f1': file('small change'), 'd/f2': { kind: 'link', to: 'f3' } });
    await set(c);
    await active(c);
    await set(a);
    await active(a);
    await leavesNothing();
  });

  function halve(pack: string): void {
    truncateSync(pack, Math.floor(statSync(pack).size / 2));
  }

  it('with a loose object that somebody replaced: its content is never served', async () => {
    const a = commit(tree);
    await showing(a, { storeMayBeAway: true });
    await lives[0]?.kill('SIGTERM');
    // Packs cannot be changed unnoticed, so first make them loose; and no spare, so that every object is read again.
    const store = join(home.appState, 'store.git');
    for (const pack of packs()) {
      const away = join(fleet.directory, 'away.pack');
      renameSync(pack, away);
      for (const ending of ['.idx', '.rev']) rmSync(pack.replace('.pack', ending), { force: true });
      execFileSync('git', [`--git-dir=${store}`, 'unpack-objects', '-q'], { input: readFileSync(away) });
    }
    rmSync(join(home.app, 'spare'), { recursive: true, force: true });
    const id = origin.git(['rev-parse', `${a}:d/f7`]);
    const loose = join(store, 'objects', id.slice(0, 2), id.slice(2));
    expect(existsSync(loose)).toBe(true);
    unlinkSync(loose);
    writeFileSync(loose, deflateSync(Buffer.from('blob 9\0not mine\n')));
    const b = commit({ ...tree, 'd/f1': file('small change') });
    await set(b);
    start();
    await active(b);
    expect(readFileSync(join(home.root, 'shop/d/f7'), 'utf8')).toBe('7\n'.repeat(200));
  });
});

describe('a release edited by hand', () => {
  it('is reported with file names, kept as it is, and its files are right again when it is shown anew', async () => {
    const before = { index: file('a'), 'd/e': file('deep'), 'd/gone': file('gone') };
    const a = commit(before);
    const settings = { allowUrls: [origin.url], verifyInterval: '1s' };
    home = agentHome(fleet, 'web-1', settings);
    start();
    await set(a);
    await active(a);
    writeFileSync(join(home.root, 'shop/index'), 'edited');
    writeFileSync(join(home.root, 'shop/stranger'), 'new');
    rmSync(join(home.root, 'shop/d/gone'));
    const names = ['d/gone', 'index', 'stranger'];
    const drifted = await fleet.reported('web-1', 'drift', (report) => report.drift.length === 3);
    expect([...drifted.drift].sort()).toEqual(names);
    expect(drifted).toMatchObject({ phase: 'active', activeCommit: a, error: null });
    // Only observed: nothing was changed back.
    expect(readFileSync(join(home.root, 'shop/index'), 'utf8')).toBe('edited');
    const b = commit({ ...before, index: file('b') });
    await set(b);
    expect((await active(b)).drift).toEqual([]);
    // The edited release is kept, and wanted again.
    expect(readFileSync(join(home.app, 'releases', a, 'index'), 'utf8')).toBe('edited');
    await readers.watch(join(home.root, 'shop'), 60_000);
    await set(a);
    // What is not of the commit is nobody's to delete in a kept release: it stays, and is said.
    const said = (...drift: string[]) =>
      fleet.reported('web-1', `active, drift: ${drift}`, (report) => {
        return report.phase === 'active' && report.activeCommit === a && String(report.drift) === String(drift);
      });
    await said('stranger');
    unlinkSync(join(home.root, 'shop/stranger'));
    await said();
    expect(await shownCommit(home.root, 'shop')).toBe(a);
    expect(onDisk(join(home.root, 'shop'))).toEqual(meant(new Map(Object.entries(before))));
    await until('the readers looked', async () => (await readers.seen()).tally.samples > 0);
  });
});
