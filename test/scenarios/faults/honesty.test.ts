import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type GivenSettings, type Origin, shownCommit, type TestAgent, TestFleet } from '../../support/fleet.ts';
import { until } from '../../support/until.ts';
import { sharedServer } from '../../support/zookeeper/shared.ts';

const servers = sharedServer();
let fleet: TestFleet;
afterEach(() => fleet.stop());

async function one(settings: GivenSettings['agent'] = {}): Promise<{ agent: TestAgent; origin: Origin }> {
  fleet = await TestFleet.create(servers.connect());
  const agent = await fleet.startAgent('web-1', { settings: { agent: settings } });
  await fleet.online(1);
  return { agent, origin: await fleet.origin() };
}
const publish = async (origin: Origin, commitId: string, path = 'shop') =>
  expect(await fleet.publish({ url: origin.url, commitId, path })).toMatchObject({ exitCode: 0 });

describe('active means proved', () => {
  it('a commit published again is made whole, though its link stood there all the time', async () => {
    const { agent, origin } = await one();
    const a = await origin.commit('a', { f: 'right', g: 'right' });
    await publish(origin, a);
    await writeFile(join(agent.root, 'shop/f'), 'hacked');
    await publish(origin, a);
    expect(await shownCommit(agent.root, 'shop')).toBe(a);
    await rm(join(agent.root, (await fleet.report('web-1'))?.relativePath ?? '', '.'), { recursive: true }).catch(
      () => {},
    );
    const release = join(agent.root, '.gitfleet', fleet.app.slice(1).replaceAll('/', '+'), 'releases', a);
    await rm(release, { recursive: true, force: true });
    await publish(origin, a);
    expect(await shownCommit(agent.root, 'shop')).toBe(a);
  });

  it('after the state directory was lost, kept releases are taken over again', async () => {
    const { agent, origin } = await one();
    const a = await origin.commit('a', { f: 'a' });
    const b = await origin.commit('b', { f: 'b' });
    await publish(origin, a);
    await publish(origin, b);
    await agent.kill('SIGTERM');
    await rm(agent.state, { recursive: true });
    await agent.restart();
    await fleet.reported('web-1', 'b', (report) => report.phase === 'active' && report.activeCommit === b);
    const inode = (await stat(join(agent.root, 'shop/f'))).ino;
    await publish(origin, a);
    expect(await shownCommit(agent.root, 'shop')).toBe(a);
    await publish(origin, b);
    expect(await shownCommit(agent.root, 'shop')).toBe(b);
    expect((await stat(join(agent.root, 'shop/f'))).ino).toBe(inode);
  });

  it('after the journal was lost no release goes that a link shows', async () => {
    const { agent, origin } = await one({
      keepReleases: 1,
      keepFailedReleases: 0,
      releaseGrace: '0s',
      verifyInterval: '1s',
    });
    const [a, b, c] = [
      await origin.commit('a', { f: 'a' }),
      await origin.commit('b', { f: 'b' }),
      await origin.commit('c', { f: 'c' }),
    ];
    await publish(origin, a, 'web/old');
    await publish(origin, b, 'shop');
    await agent.kill('SIGTERM');
    await rm(join(agent.state, 'apps', fleet.app.slice(1).replaceAll('/', '+'), 'journal.json'));
    await agent.restart();
    await publish(origin, c, 'shop');
    // Retention has run when the release of b, which nothing shows, is gone.
    const releases = join(agent.root, '.gitfleet', fleet.app.slice(1).replaceAll('/', '+'), 'releases');
    await until('b is let go', async () => !(await stat(join(releases, b)).catch(() => null)));
    expect(await shownCommit(agent.root, 'web/old')).toBe(a);
    expect(await shownCommit(agent.root, 'shop')).toBe(c);
  });

  it('returning to a release keeps what steps generated in it, and its readers', async () => {
    const { agent, origin } = await one({ generated: ['node_modules/'] });
    const [a, b] = [await origin.commit('a', { f: 'a' }), await origin.commit('b', { f: 'b' })];
    await publish(origin, a);
    await mkdir(join(agent.root, 'shop/node_modules'));
    await writeFile(join(agent.root, 'shop/node_modules/m'), 'generated');
    await writeFile(join(agent.root, 'shop/app.pyc'), 'a stranger');
    const inode = (await stat(join(agent.root, 'shop/'))).ino;
    await publish(origin, b);
    await publish(origin, a);
    expect((await stat(join(agent.root, 'shop/'))).ino).toBe(inode);
    expect(await readFile(join(agent.root, 'shop/node_modules/m'), 'utf8')).toBe('generated');
    expect(await readFile(join(agent.root, 'shop/app.pyc'), 'utf8')).toBe('a stranger');
  });
});

describe('the activate command', () => {
  it('that failed takes the release back, which is tried again only when it is published again', async () => {
    const { agent, origin } = await one({ activate: { command: ['/bin/sh', 'activate.sh'] } });
    const log = join(fleet.directory, 'activated');
    const script = (word: string, exit: string) => `echo ${word} $GITFLEET_PREVIOUS_COMMIT >> ${log}; ${exit}\n`;
    const mend = join(fleet.directory, 'mended');
    const a = await origin.commit('a', { 'activate.sh': script('a', 'exit 0') });
    const b = await origin.commit('b', { 'activate.sh': script('b', `test -e ${mend}`) });
    await publish(origin, a);
    const failed = await fleet.publish({ url: origin.url, commitId: b });
    expect(failed).toMatchObject({ exitCode: 1 });
    expect(failed.stdout).toContain('ACTIVATE_FAILED');
    expect(await shownCommit(agent.root, 'shop')).toBe(a);
    // A target that never gets as far as the link.
    const lost = await fleet.publish({ url: `${origin.url}.gone`, commitId: 'c'.repeat(40) }, '--no-check', '--detach');
    expect(lost.exitCode).toBe(0);
    await fleet.reported('web-1', 'that it cannot be fetched', (report) => report.error !== null);
    await writeFile(mend, '');
    await publish(origin, b);
    expect(await shownCommit(agent.root, 'shop')).toBe(b);
    expect((await readFile(log, 'utf8')).split('\n').filter(Boolean)).toEqual(['a', `b ${a}`, `a ${b}`, `b ${a}`]);
    // The same once more: it ended well, no activation is pending.
    await publish(origin, b);
    expect((await readFile(log, 'utf8')).split('\n').filter(Boolean).length).toBe(4);
  });
});

describe('a report', () => {
  it('says the failure that an agent is at, however often it tried', async () => {
    const { agent, origin } = await one();
    await origin.commit('a', { f: 'a' });
    await fleet.publish({ url: origin.url, commitId: 'c'.repeat(40) }, '--no-check', '--detach');
    // Each try begins with a stage that is told; the failure has the last word all the same.
    await until('four tries', async () => ((await agent.log()).match(/"fetch failed"/g) ?? []).length >= 4, 60_000);
    const report = await fleet.reported('web-1', 'the failure', (found) => found.phase === 'failed');
    expect(report.error?.code).toBe('COMMIT_NOT_FOUND');
    expect((await fleet.run('status')).stdout).toContain('COMMIT_NOT_FOUND');
  });

  it('says a refused target beside an override, and the link that was removed is free again', async () => {
    const { agent, origin } = await one({ resyncInterval: '1s' });
    const [a, b] = [await origin.commit('a', { f: 'a' }), await origin.commit('b', { f: 'b' })];
    await publish(origin, a);
    await publish(origin, b);
    expect((await fleet.onServer(agent, 'rollback')).exitCode).toBe(0);
    await fleet.setConfig('{"url":');
    const refused = await fleet.reported('web-1', 'the refusal', (report) => report.error?.code === 'JSON');
    expect(refused).toMatchObject({ activeCommit: a, override: { reason: '' } });
    await fleet.publish({ url: origin.url, commitId: b, path: 'shop/web' }, '--detach');
    await fleet.reported('web-1', 'the conflict', (report) => report.error?.code === 'NESTED');
    await rm(join(agent.root, 'shop'));
    await until('the place is free', async () => (await shownCommit(agent.root, 'shop/web')) === b);
  });
});

describe('a local rollback', () => {
  it('interrupts what waits for ZooKeeper', async () => {
    const { agent, origin } = await one({ fetch: { stallTimeout: '20s', timeout: '5m' } });
    const [a, b] = [await origin.commit('a', { f: 'a' }), await origin.commit('b', { f: 'b' })];
    await publish(origin, a);
    await publish(origin, b);
    // An origin that accepts and says nothing holds the agent in its fetch.
    const { createServer } = await import('node:net');
    const silent = createServer((socket) => socket.resume().on('error', () => {}));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as { port: number };
    await agent.kill('SIGTERM');
    const settings = {
      agent: { fetch: { stallTimeout: '60s', timeout: '5m' }, allowUrls: [`git://127.0.0.1:${port}`, origin.url] },
    };
    const again = await fleet.startAgent('web-1', { settings, args: ['--allow-url', `git://127.0.0.1:${port}`] });
    await fleet.online(1);
    await fleet.publish({ url: `git://127.0.0.1:${port}/r.git`, commitId: 'd'.repeat(40) }, '--no-check', '--detach');
    await fleet.reported('web-1', 'the fetch', (report) => report.phase === 'fetching');
    const started = performance.now();
    expect(await fleet.onServer(again, 'rollback')).toMatchObject({ exitCode: 0 });
    expect(performance.now() - started).toBeLessThan(40_000); // The fetch alone would hold it for 60 s.
    expect(await shownCommit(again.root, 'shop')).toBe(a);
    silent.close();
  });
});
