import { execFileSync } from 'node:child_process';
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { TestFleet } from '../../support/fleet.ts';
import { realServers } from '../../support/zookeeper/server.ts';

const servers = realServers(1);
let fleet: TestFleet;
afterEach(() => fleet.stop());

/** Every path below a directory with what would betray a write. */
function traces(directory: string): string[] {
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort();
  return names.map((name) => {
    const { ino, mtimeMs, size } = lstatSync(join(directory, name));
    return `${name} ${ino} ${mtimeMs} ${size}`;
  });
}

describe('gitfleet agent verify', () => {
  it('says whether what is shown is its commit, beside a running agent and without ZooKeeper', async () => {
    fleet = await TestFleet.create(servers.connect());
    const agent = await fleet.startAgent('web-1');
    await fleet.online(1);
    const nothing = await fleet.onServer(agent, 'verify');
    expect(nothing).toMatchObject({ exitCode: 1, stderr: '' });
    expect(nothing.stdout).toContain('no link yet');
    const origin = await fleet.origin();
    const commitId = await origin.commit('a', { f: 'good', 'd/g': 'one', h: 'two' });
    expect((await fleet.publish({ url: origin.url, commitId })).exitCode).toBe(0);
    await servers.first.kill('SIGKILL');
    const link = join(agent.root, 'shop');
    const state = join(fleet.directory, 'nowhere');
    const elsewhere = await fleet.onServer({ ...agent, state }, 'verify');
    expect(elsewhere).toMatchObject({ exitCode: 1, stdout: '' });
    expect(elsewhere.stderr).toContain(
      `NO_AGENT: no agent of this app keeps its state here: there is no ${state}/apps/`,
    );
    expect(await fleet.onServer(agent, 'verify')).toMatchObject({
      exitCode: 0,
      stdout: `${link} is ${commitId}, by sizes and times\nall is as committed; --deep hashes every file again\n`,
      stderr: '',
    });
    const deep = await fleet.onServer(agent, 'verify', '--deep', '--json');
    expect(JSON.parse(deep.stdout)).toMatchObject({
      deep: true,
      clean: true,
      links: [{ link, commitId, clean: true }],
    });
    expect(deep.exitCode).toBe(0);
    await agent.kill('SIGKILL');
    await servers.first.restart();

    writeFileSync(join(link, 'f'), 'evil');
    rmSync(join(link, 'h'));
    writeFileSync(join(link, 'd/new\u001b[31m'), '');
    const admin = readFileSync(join(link, '.git'), 'utf8').trim().slice('gitdir: '.length);
    // As while the agent works: a lock that nobody else may wait for or take away.
    writeFileSync(join(admin, 'index.lock'), '');
    const before = [agent.root, agent.state].map(traces);
    const drifted = await fleet.onServer(agent, 'verify');
    expect(drifted.exitCode).toBe(1);
    expect(drifted.stdout.split('\n')).toEqual([
      `${link} is not ${commitId}, by sizes and times:`,
      '  changed   f',
      '  missing   h',
      '  stranger  d/new\\u001b[31m',
      expect.stringContaining('next: publish the commit again'),
      '',
    ]);
    expect((await fleet.onServer(agent, 'verify', '--deep')).stdout).toContain(
      'every file hashed again:\n  changed   f\n',
    );
    expect([agent.root, agent.state].map(traces)).toEqual(before);
    expect((await fleet.onServer(agent, 'verify', '--depp')).exitCode).toBe(2);

    // What sizes and times do not tell, as when a disk forgets: git is made to believe the changed file.
    rmSync(join(admin, 'index.lock'));
    execFileSync('git', ['-C', link, 'checkout', '-q', '--', 'h']);
    rmSync(join(link, 'd/new\u001b[31m'));
    execFileSync('git', ['-C', link, 'update-index', '--assume-unchanged', 'f']);
    expect((await fleet.onServer(agent, 'verify')).exitCode).toBe(0);
    expect(await fleet.onServer(agent, 'verify', '--deep')).toMatchObject({
      exitCode: 1,
      stdout: expect.stringContaining('  changed   f\n'),
    });

    rmSync(link);
    mkdirSync(link);
    expect(await fleet.onServer(agent, 'verify')).toMatchObject({
      exitCode: 1,
      stdout: expect.stringContaining('is a directory, not a link of gitfleet'),
    });
  });

  it('finds the work trees by whatever links its directories are reached', async () => {
    fleet = await TestFleet.create(servers.connect());
    const agent = await fleet.startAgent('web-1');
    await fleet.online(1);
    const origin = await fleet.origin();
    const commitId = await origin.commit('a', { f: 'a' });
    expect((await fleet.publish({ url: origin.url, commitId })).exitCode).toBe(0);
    symlinkSync(join(fleet.directory, 'agents'), join(fleet.directory, 'D'));
    symlinkSync(agent.root, join(fleet.directory, 'root'));
    symlinkSync(agent.state, join(fleet.directory, 'state'));
    const above = {
      id: agent.id,
      root: join(fleet.directory, 'D/web-1/root'),
      state: join(fleet.directory, 'D/web-1/state'),
    };
    const itself = { id: agent.id, root: join(fleet.directory, 'root'), state: join(fleet.directory, 'state') };
    for (const named of [above, itself]) {
      expect(await fleet.onServer(named, 'verify')).toMatchObject({ exitCode: 0, stderr: '' });
      expect(await fleet.onServer(named, 'verify', '--deep')).toMatchObject({ exitCode: 0, stderr: '' });
    }
    // An agent, and a command in its place, that go there by the link take over what is there.
    await agent.kill('SIGTERM');
    const b = await origin.commit('b', { f: 'b' });
    const again = await fleet.startAgent('web-1', { home: '../D/web-1' });
    expect((await fleet.publish({ url: origin.url, commitId: b })).exitCode).toBe(0);
    expect((await fleet.onServer(agent, 'verify')).stdout).toContain(`is ${b}`);
    await again.kill('SIGTERM');
    expect((await fleet.onServer(above, 'rollback')).stdout).toContain(`shows ${commitId}`);
    expect(await fleet.onServer(agent, 'verify')).toMatchObject({ exitCode: 0, stderr: '' });
    // The same release had two entries in the store, one for each name of it, if it was not known again.
    const stores = join(agent.state, 'apps', fleet.app.slice(1).replaceAll('/', '+'), 'store.git');
    const trees = readdirSync(join(stores, 'worktrees')).map((name) =>
      realpathSync(dirname(readFileSync(join(stores, 'worktrees', name, 'gitdir'), 'utf8').trim())),
    );
    expect(new Set(trees).size).toBe(trees.length);
    const aside = await fleet.origin('aside');
    const c = await aside.commit('c', { f: 'c' });
    renameSync(aside.clone, join(agent.root, 'aside'));
    const adopted = await fleet.onServer(
      above,
      'adopt',
      'aside',
      '--allow-url',
      `file://${fleet.directory}`,
      '--url',
      aside.url,
    );
    expect(adopted).toMatchObject({ exitCode: 0, stderr: '' });
    expect((await fleet.onServer(agent, 'verify')).stdout).toContain(`aside is ${c}`);
  });
});
