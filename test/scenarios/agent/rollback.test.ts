import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { Report } from '../../../schemas/report.ts';
import { agentHome, shown, startLife } from '../../support/agent/agent-process.ts';
import { shownCommit, TestFleet } from '../../support/fleet.ts';
import { until } from '../../support/until.ts';
import { realServers } from '../../support/zookeeper/server.ts';

const servers = realServers(1);
let fleet: TestFleet;
afterEach(() => fleet.stop());

async function deployedTwice(...args: string[]) {
  fleet = await TestFleet.create(servers.connect());
  const agent = await fleet.startAgent('web-1', { args, settings: { zookeeper: { sessionTimeout: '4s' } } });
  await fleet.online(1);
  const origin = await fleet.origin();
  const a = await origin.commit('a', { f: 'a' });
  const b = await origin.commit('b', { f: 'b' });
  for (const commitId of [a, b]) expect((await fleet.publish({ url: origin.url, commitId })).exitCode).toBe(0);
  return { agent, origin, a, b };
}

describe('gitfleet agent rollback', () => {
  it('needs neither ZooKeeper nor git, outlives a restart, is reported, and ends with the next target', async () => {
    const { agent, origin, a, b } = await deployedTwice();
    await servers.first.kill('SIGKILL');
    await rename(origin.bare, `${origin.bare}.away`);
    const said = await fleet.onServer(agent, 'rollback', '-m', 'checkout broken here');
    expect(said).toMatchObject({ exitCode: 0, stderr: '' });
    expect(said.stdout).toContain('by the running agent');
    expect(await shownCommit(agent.root, 'shop')).toBe(a);
    await agent.kill('SIGKILL');
    await agent.restart();
    await rename(`${origin.bare}.away`, origin.bare);
    await servers.first.restart();
    const report = await fleet.reported('web-1', 'the override', (found) => found.override !== null, 60_000);
    expect(report).toMatchObject({ activeCommit: a, override: { reason: 'checkout broken here' } });
    expect(await shownCommit(agent.root, 'shop')).toBe(a);
    expect((await fleet.run('status')).stdout).toMatch(
      /web-1 +overridden +[0-9a-f]{10} .* by \S+ on the server: checkout broken here/,
    );
    const c = await origin.commit('c', { f: 'c' });
    expect((await fleet.publish({ url: origin.url, commitId: c })).exitCode).toBe(0);
    expect(await shownCommit(agent.root, 'shop')).toBe(c);
    // The word was against b's deployment: publishing b again is a new one.
    expect((await fleet.publish({ url: origin.url, commitId: b })).exitCode).toBe(0);
    expect(await shownCommit(agent.root, 'shop')).toBe(b);
  });

  it('works where no agent runs, and resume takes it back', async () => {
    const { agent, a, b } = await deployedTwice();
    await agent.kill('SIGTERM');
    const said = await fleet.onServer(agent, 'rollback', a.slice(0, 8));
    expect(said).toMatchObject({ exitCode: 0, stderr: '' });
    expect(said.stdout).toContain('no agent runs here');
    expect(await shownCommit(agent.root, 'shop')).toBe(a);
    await agent.restart();
    await fleet.reported('web-1', 'the override', (found) => found.override !== null);
    expect(await shownCommit(agent.root, 'shop')).toBe(a);
    expect((await fleet.onServer(agent, 'resume')).stdout).toContain('follows the fleet again');
    await until('the fleet wins', async () => (await shownCommit(agent.root, 'shop')) === b);
    expect((await fleet.onServer(agent, 'resume')).stdout).toContain('nothing to resume');
  });

  it('is obeyed at the slow tick where nothing can be watched', async () => {
    fleet = await TestFleet.create(servers.connect());
    const home = agentHome(fleet, 'web-1', { resyncInterval: '1s' });
    const preload = join(fleet.directory, 'no-inotify.mjs');
    await writeFile(
      preload,
      `import fs from 'node:fs';
       import { syncBuiltinESMExports } from 'node:module';
       fs.watch = () => { throw Object.assign(new Error('EMFILE: too many open files, watch'), { code: 'EMFILE' }); };
       syncBuiltinESMExports();`,
    );
    const life = startLife(home, { NODE_OPTIONS: `--import=${preload}` });
    try {
      await fleet.online(1);
      const origin = await fleet.origin();
      const a = await origin.commit('a', { f: 'a' });
      const b = await origin.commit('b', { f: 'b' });
      for (const commitId of [a, b]) expect((await fleet.publish({ url: origin.url, commitId })).exitCode).toBe(0);
      expect((await fleet.onServer(home, 'rollback')).stdout).toContain('by the running agent');
      expect(shown(home, 'shop')).toBe(a);
      expect(await readFile(home.logFile, 'utf8')).toContain('cannot be watched');
    } finally {
      await life.kill('SIGTERM');
    }
  });

  it('fails with the words of the activate command that failed, and waits for one that takes its time', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'gitfleet-activate-'));
    const program = join(directory, 'activate.sh');
    const script = `#!/bin/sh\n[ -e ${directory}/slow ] && sleep 1\n[ -e ${directory}/broken ] || exit 0\necho no nginx; exit 3\n`;
    await writeFile(program, script, { mode: 0o755 });
    const { agent, a, b } = await deployedTwice('--activate', program);
    await writeFile(join(directory, 'slow'), '');
    const good = await fleet.onServer(agent, 'rollback', '--json');
    expect(good).toMatchObject({ exitCode: 0 });
    expect(JSON.parse(good.stdout)).toMatchObject({ commitId: a });
    expect(JSON.parse(good.stdout).ms).toBeGreaterThan(1_000);
    await fleet.reported('web-1', 'the override', (found) => found.override !== null);
    await fleet.onServer(agent, 'resume');
    const isBack = ({ phase, override, activeCommit }: Report) =>
      phase === 'active' && override === null && activeCommit === b;
    await fleet.reported('web-1', 'b again', isBack);
    expect(await shownCommit(agent.root, 'shop')).toBe(b);
    await writeFile(join(directory, 'broken'), '');
    const said = await fleet.onServer(agent, 'rollback');
    expect(said).toMatchObject({ exitCode: 1, stdout: '' });
    expect(said.stderr).toMatch(
      /gitfleet: ACTIVATE_FAILED: .*exited with 3: no nginx\n {2}the output is in .*activate\.log/,
    );
    expect(await shownCommit(agent.root, 'shop')).toBe(a);
    await rm(directory, { recursive: true });
  });

  it('without a commit stays with what this link has shown, of the same repository', async () => {
    const { agent, origin, a, b } = await deployedTwice();
    const mine = await fleet.origin('mine');
    const m = await mine.commit('m', { f: 'm' });
    const n = await mine.commit('n', { f: 'n' });
    const elsewhere = await fleet.publish({ url: mine.url, commitId: n, path: 'mine' });
    expect(elsewhere.exitCode).toBe(0);
    expect((await fleet.publish({ url: mine.url, commitId: m })).exitCode).toBe(0);
    expect((await fleet.publish({ url: origin.url, commitId: b })).exitCode).toBe(0);
    const refused = await fleet.onServer(agent, 'rollback', n);
    expect(refused.exitCode).toBe(1);
    expect(refused.stderr).toMatch(/NOTHING_KEPT: .* is not one kept release that .*\/shop has shown/);
    for (const shownThere of [a, m]) expect(refused.stderr.split('\n')[1]).toContain(shownThere);
    expect(refused.stderr.split('\n')[1]).not.toContain(n);
    expect((await fleet.onServer(agent, 'rollback')).exitCode).toBe(0);
    expect(await shownCommit(agent.root, 'shop')).toBe(a);
    expect((await fleet.onServer(agent, 'rollback', m.slice(0, 10))).exitCode).toBe(0);
    expect(await shownCommit(agent.root, 'shop')).toBe(m);
  });

  it('says what is kept where the wanted one is not', async () => {
    const { agent, a } = await deployedTwice();
    const said = await fleet.onServer(agent, 'rollback', 'ffff');
    expect(said.exitCode).toBe(1);
    expect(said.stderr).toContain('NOTHING_KEPT');
    expect(said.stderr).toContain(a);
  });
});
