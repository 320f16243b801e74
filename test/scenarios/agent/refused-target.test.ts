import { execFile } from 'node:child_process';
import { chmod, chown, lstat, mkdir, readdir, readFile, readlink, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import type { Report } from '../../../schemas/report.ts';
import { ALLOW, CORPUS } from '../../schemas/target-corpus.ts';
import { git } from '../../support/commands.ts';
import { type GivenSettings, type Origin, shownCommit, type TestAgent, TestFleet } from '../../support/fleet.ts';
import { until } from '../../support/until.ts';
import { realServers } from '../../support/zookeeper/server.ts';

// D10 is larger than what a server takes by default; an operator may have raised that.
const servers = realServers(1, { properties: { 'jute.maxbuffer': String(4 * 1024 * 1024) } });
const exec = promisify(execFile);
let fleet: TestFleet;
let origin: Origin;
let agent: TestAgent;
afterEach(() => fleet.stop());

/** One agent that shows a first commit at `shop`. */
async function running(
  options: { args?: (root: string) => string[]; settings?: GivenSettings; objectFormat?: 'sha1' | 'sha256' } = {},
): Promise<string> {
  fleet = await TestFleet.create(servers.connect());
  origin = await fleet.origin('shop', options);
  const args = options.args?.(join(fleet.directory, 'agents/web-1/root')) ?? [];
  agent = await fleet.startAgent('web-1', { args, ...(options.settings ? { settings: options.settings } : {}) });
  await fleet.online(1);
  const commitId = await origin.commit('first', { index: 'first', 'd/e': 'deep' });
  await set({ commitId });
  await active(commitId);
  return commitId;
}

/** As any client would: the three members, and no record. */
const set = (over: { url?: string; commitId: string; relativePath?: string }): Promise<void> =>
  fleet.setConfig(JSON.stringify({ url: origin.url, relativePath: 'shop', ...over }));

async function active(commitId: string, path = 'shop'): Promise<void> {
  const fits = (report: Report) => report.phase === 'active' && report.activeCommit === commitId;
  await fleet.reported('web-1', `${commitId} active`, fits, 60_000);
  expect(await shownCommit(agent.root, path)).toBe(commitId);
}

const failed = (code: string): Promise<Report> =>
  fleet.reported('web-1', code, (report) => report.phase === 'failed' && report.error?.code === code);

/** The link and every file of what it shows, by all that changes when somebody touches them. */
async function traces(path = 'shop'): Promise<string[]> {
  const link = join(agent.root, path);
  const names = await readdir(link, { recursive: true });
  const of = async (file: string) => {
    const { ino, ctimeMs, size } = await lstat(file);
    return `${file} ${ino} ${ctimeMs} ${size}`;
  };
  return [
    `${await of(link)} ${await readlink(link)}`,
    ...(await Promise.all(names.map((name) => of(join(link, name))))),
  ];
}

/** The target is refused with this code, and nothing of what runs is touched. */
async function refused(code: string, over: Parameters<typeof set>[0]): Promise<Report> {
  const before = await traces();
  await set(over);
  const report = await failed(code);
  expect(report.error).toMatchObject({ code, next: 'stall' });
  expect(report.error?.hint).not.toBe('');
  expect(await traces()).toEqual(before);
  return report;
}

describe('the corpus of bad targets, set by a foreign writer under a live agent', () => {
  // An empty config is no target at all, bad or good: it has a test of its own below.
  const rows = CORPUS.filter((row) => row.expected !== 'A' && row.expected !== 'EMPTY');

  it('disturbs nothing, row by row; each report names code, reason and the write it judged', async () => {
    const commitId = await running({ args: () => ALLOW.flatMap((prefix) => ['--allow-url', prefix]) });
    const before = await traces();
    const wrong: string[] = [];
    for (const { id, expected, inputs } of rows) {
      for (const [at, bytes] of inputs.entries()) {
        await setBytes(bytes);
        // fleet.reported holds the report to the targetVersion that config has now.
        const report = await fleet.reported('web-1', `${id}.${at + 1}`, ({ phase }) => phase === 'failed');
        const { code, reason, hint, next } = report.error ?? {};
        const fits = code === expected && /^[ -~]+$/.test(reason ?? '') && hint && next === 'stall';
        if (!fits || report.activeCommit !== commitId) wrong.push(`${id}.${at + 1}: ${JSON.stringify(report)}`);
      }
      if (String(await traces()) !== String(before)) wrong.push(`${id}: what runs was touched`);
    }
    expect(wrong).toEqual([]);
    expect(await shownCommit(agent.root, 'shop')).toBe(commitId);
    const refusals = (await agent.log()).split('\n').filter((line) => line.includes('target refused'));
    expect(refusals.length).toBe(rows.flatMap(({ inputs }) => inputs).length);

    const good = await origin.commit('second', { index: 'second' });
    await set({ commitId: good });
    await active(good);
  }, 240_000);

  it('D01: an empty config removes nothing, and the next good target deploys', async () => {
    const commitId = await running();
    const before = await traces();
    await fleet.setConfig('');
    const report = await until('the agent waits for a target', async () => {
      const found = await fleet.report('web-1');
      return found?.phase === 'waiting' ? found : null;
    });
    expect(report).toMatchObject({ targetVersion: null, activeCommit: commitId, error: null });
    expect(report.waitingFor).toContain(fleet.znodes.config);
    expect(await traces()).toEqual(before);
    const good = await origin.commit('second', { index: 'second' });
    await set({ commitId: good });
    await active(good);
  });

  it('D38: a password in a url is in no report and no log', async () => {
    await running();
    const urls = ['https://u:c4nary@git.example.com/r', 'https://c4nary@git.example.com/r', 'ssh://git:c4nary@h/r'];
    for (const url of urls) {
      const report = await refused('CREDENTIALS', { url, commitId: 'a'.repeat(40) });
      expect(JSON.stringify(report)).not.toContain('c4nary');
    }
    expect(await agent.log()).not.toContain('c4nary');
  });
});

/** Our own session writes no such large values; Python's does. */
async function setBytes(bytes: Buffer): Promise<void> {
  if (bytes.length <= 64 * 1024) return await fleet.setConfig(bytes);
  const file = join(fleet.directory, 'large');
  await writeFile(file, bytes);
  const script = [
    'import sys; from kazoo.client import KazooClient; c = KazooClient(hosts=sys.argv[1]); c.start(30)',
    'c.set(sys.argv[2], open(sys.argv[3], "rb").read()); c.stop()',
  ];
  await exec('/usr/bin/python3', ['-c', script.join('\n'), fleet.zookeeper, fleet.znodes.config, file]);
}

describe('targets whose commit is the trouble', () => {
  it('D70: the id of a tag, a tree or a blob is NOT_A_COMMIT', async () => {
    const commitId = await running();
    await git(origin.clone, 'tag', '-a', 'v1', '-m', 'v1');
    await git(origin.clone, 'push', '--quiet', 'origin', 'v1');
    for (const name of ['v1', 'v1^{tree}', 'v1:index']) {
      const id = await git(origin.clone, 'rev-parse', name);
      const report = await refused('NOT_A_COMMIT', { commitId: id });
      expect(report).toMatchObject({ activeCommit: commitId, desiredCommit: id });
      expect(report.error?.reason).toContain(id);
    }
    const good = await origin.commit('second', { index: 'second' });
    await set({ commitId: good });
    await active(good);
  });

  it('D71: a commit that nobody pushed yet is asked for again, and arrives when pushed', async () => {
    const commitId = await running();
    const before = await traces();
    await writeFile(join(origin.clone, 'index'), 'late');
    await git(origin.clone, 'commit', '--quiet', '--all', '-m', 'late');
    const late = await git(origin.clone, 'rev-parse', 'HEAD');
    await set({ commitId: late });
    const report = await failed('COMMIT_NOT_FOUND');
    expect(report.error).toMatchObject({ next: 'retry' });
    expect(report).toMatchObject({ activeCommit: commitId, desiredCommit: late });
    expect(await traces()).toEqual(before);
    await git(origin.clone, 'push', '--quiet', 'origin', 'HEAD:main');
    await active(late);
  });

  it.each([
    ['sha1', 64],
    ['sha256', 40],
  ] as const)('D72: on a %s repository an id of %i digits is OBJECT_FORMAT', async (objectFormat, digits) => {
    const commitId = await running({ objectFormat });
    const report = await refused('OBJECT_FORMAT', { commitId: 'ab'.repeat(digits / 2) });
    expect(report).toMatchObject({ activeCommit: commitId });
    const good = await origin.commit('second', { index: 'second' });
    await set({ commitId: good });
    await active(good);
  });

  it.each([
    ['sha1', 64],
    ['sha256', 40],
  ] as const)('D72: also as the very first target: %s, %i digits', async (objectFormat, digits) => {
    fleet = await TestFleet.create(servers.connect());
    origin = await fleet.origin('shop', { objectFormat });
    agent = await fleet.startAgent('web-1');
    await fleet.online(1);
    const commitId = await origin.commit('first', { index: 'first' });
    await set({ commitId: 'ab'.repeat(digits / 2) });
    const report = await failed('OBJECT_FORMAT');
    expect(report).toMatchObject({ activeCommit: null, error: { next: 'stall' } });
    await set({ commitId });
    await active(commitId);
  });

  it('D73: a branch that is named like the commit and points elsewhere changes nothing', async () => {
    const first = await running();
    const second = await origin.commit('second', { index: 'second' });
    await git(origin.bare, 'update-ref', `refs/heads/${second}`, first);
    await git(origin.bare, 'update-ref', `refs/tags/${second}`, first);
    await set({ commitId: second });
    await active(second);
    expect(await readFile(join(agent.root, 'shop/index'), 'utf8')).toBe('second');
  });

  it('D74: a commit that refs/replace maps away, at the origin and in the store, is shown as it is', async () => {
    // Old releases and their objects go at once, so that the second showing is made from the store.
    await running({ settings: { agent: { keepReleases: 1, keepFailedReleases: 0, releaseGrace: '0s' } } });
    const real = await origin.commit('real', { index: 'real' });
    const evil = await origin.commit('evil', { index: 'evil', more: 'evil' });
    await git(origin.bare, 'replace', real, evil);
    expect(await git(origin.bare, 'show', `${real}:index`)).toBe('evil'); // What it would be to a careless reader.
    const showsReal = async () => {
      await active(real);
      expect(await readFile(join(agent.root, 'shop/index'), 'utf8')).toBe('real');
      expect(await readdir(join(agent.root, 'shop'))).not.toContain('more');
    };
    await set({ commitId: real });
    await showsReal();

    await set({ commitId: evil });
    await active(evil);
    const releases = join(agent.root, (await readlink(join(agent.root, 'shop'))).slice(0, -evil.length));
    await until('the old releases are gone', async () => String(await readdir(releases)) === evil);
    const store = join(agent.state, 'apps', fleet.app.slice(1).replaceAll('/', '+'), 'store.git');
    await git(store, 'fetch', '--quiet', '--no-tags', `file://${origin.bare}`, `+${real}:refs/heads/real`);
    await git(store, 'replace', '--force', real, evil);
    expect(await git(store, 'show', `${real}:index`)).toBe('evil');
    await set({ commitId: real });
    // Plain git in the release would follow the replacement too: this part is read from the disk alone.
    await fleet.reported('web-1', 'real active', (report) => report.phase === 'active');
    expect(await readFile(join(agent.root, 'shop/index'), 'utf8')).toBe('real');
    expect(await readdir(join(agent.root, 'shop'))).not.toContain('more');
  });
});

describe('targets whose place is the trouble', () => {
  const at = (path: string) => join(agent.root, path);
  let commitId: string;
  const refusedAt = (code: string, relativePath: string) => refused(code, { commitId, relativePath });

  /** After all refusals: what ran before still runs, and the next good target deploys. */
  async function goesOn(path = 'shop'): Promise<void> {
    expect(await shownCommit(agent.root, 'shop')).toBe(commitId);
    const good = await origin.commit('good', { index: 'good' });
    await set({ commitId: good, relativePath: path });
    await active(good, path);
  }

  it('D88: the state, what is above it and what is in it are RESERVED', async () => {
    commitId = await running({ args: (root) => ['--state', join(root, 'var/state')] });
    const mine = await readdir(at('var/state'));
    for (const path of ['var', 'var/state', 'var/state/apps', 'var/state/shop']) await refusedAt('RESERVED', path);
    expect(await readdir(at('var/state'))).toEqual(mine);
    await goesOn('var/shop');
  });

  it('D89: nothing is made through a link: to elsewhere, into the root, to nothing, to itself', async () => {
    commitId = await running();
    const elsewhere = join(fleet.directory, 'elsewhere');
    await mkdir(elsewhere);
    await mkdir(at('inside'));
    const links = { outward: elsewhere, inward: 'inside', dangling: 'nowhere', loop: 'loop' };
    for (const [name, to] of Object.entries(links)) {
      await symlink(to, at(name));
      for (const path of [`${name}/web`, `${name}/deep/web`]) await refusedAt('SYMLINK', path);
      expect(await readlink(at(name))).toBe(to);
    }
    expect([...(await readdir(elsewhere)), ...(await readdir(at('inside')))]).toEqual([]);
    await goesOn('inside/shop');
  });

  it('D90: a parent that others can write or own, or that is a file; mended, the target deploys by itself', async () => {
    commitId = await running({ settings: { agent: { resyncInterval: '1s' } } });
    await writeFile(at('file'), 'precious');
    await refusedAt('NOT_DIR', 'file/web');
    await refusedAt('NOT_DIR', 'file/deep/web');
    expect(await readFile(at('file'), 'utf8')).toBe('precious');
    if (process.getuid?.() === 0) {
      await mkdir(at('theirs'));
      await chown(at('theirs'), 4242, 4242);
      await refusedAt('OWNER', 'theirs/web');
      expect(await readdir(at('theirs'))).toEqual([]);
    }
    await mkdir(at('open'));
    await chmod(at('open'), 0o777);
    await refusedAt('OWNER', 'open/web');
    expect(await readdir(at('open'))).toEqual([]);
    await chmod(at('open'), 0o755);
    await active(commitId, 'open/web');
    await goesOn();
  });

  it('D91: what somebody else put there is OCCUPIED, and stays', async () => {
    commitId = await running();
    await mkdir(at('data'));
    await writeFile(at('data/file'), 'precious');
    await writeFile(at('file'), 'precious');
    await symlink('/etc', at('link'));
    await symlink('.gitfleet', at('inward'));
    for (const path of ['data', 'file', 'link', 'inward']) await refusedAt('OCCUPIED', path);
    expect(await readFile(at('data/file'), 'utf8')).toBe('precious');
    expect(await readFile(at('file'), 'utf8')).toBe('precious');
    expect([await readlink(at('link')), await readlink(at('inward'))]).toEqual(['/etc', '.gitfleet']);
    await goesOn();
  });

  it('D92: inside a release, or above one of our links, is NESTED', async () => {
    commitId = await running();
    await refusedAt('NESTED', 'shop/below');
    await set({ commitId, relativePath: 'a/b' });
    await active(commitId, 'a/b');
    await refusedAt('NESTED', 'a');
    await refusedAt('NESTED', 'a/b/c');
    expect(await shownCommit(agent.root, 'a/b')).toBe(commitId);
    await goesOn('a/c');
  });
});
