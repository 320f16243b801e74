import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { LocalStatus } from '../../../agent/local/local-status.ts';
import { gitfleet } from '../../support/commands.ts';
import { type TestAgent, TestFleet } from '../../support/fleet.ts';
import { until } from '../../support/until.ts';
import { realServers } from '../../support/zookeeper/server.ts';

const servers = realServers(1);
let fleet: TestFleet;
afterEach(() => fleet.stop());

async function statusOf(agent: TestAgent): Promise<LocalStatus> {
  const said = await fleet.onServer(agent, 'status', '--json');
  expect(said).toMatchObject({ exitCode: 0, stderr: '' });
  return JSON.parse(said.stdout);
}

describe('gitfleet agent status', () => {
  it('says how the server stands, with ZooKeeper cut and whether or not the agent runs', async () => {
    fleet = await TestFleet.create(servers.connect());
    const agent = await fleet.startAgent('web-1');
    await fleet.online(1);
    const origin = await fleet.origin();
    const a = await origin.commit('a', { f: 'a' });
    const b = await origin.commit('b', { f: 'b' });
    for (const commitId of [a, b]) expect((await fleet.publish({ url: origin.url, commitId })).exitCode).toBe(0);
    await servers.first.kill('SIGKILL');

    const link = join(agent.root, 'shop');
    const settled = await statusOf(agent);
    expect(settled).toMatchObject({
      running: true,
      links: [{ relativePath: 'shop', link, commitId: b, instead: null }],
      progress: { commitId: b, activation: 'done', lastFailure: null },
      releases: [
        { commitId: b, endedWell: true, leftAt: null },
        { commitId: a, endedWell: true, leftAt: expect.any(Number) },
      ],
      override: null,
    });
    expect(settled.accepted?.targetVersion).toBe(settled.progress?.targetVersion);
    const text = (await fleet.onServer(agent, 'status')).stdout;
    expect(text).toContain('web-1 of ');
    expect(text).toContain(': it runs\n');
    // Whoever asks need not know the name that was given to agent run alone.
    const unnamed = ['--root', agent.root, '--state', agent.state, '--app', fleet.app];
    expect((await gitfleet(['agent', 'status', ...unnamed])).stdout).toContain('agent web-1 of ');
    expect(text).toContain(`${link} shows ${b}\n`);
    expect(text).toMatch(/kept [0-9a-f]{10} ended well, left .* ago\n/);
    expect(text).toContain('settled on what it accepted');

    expect((await fleet.onServer(agent, 'rollback', '-m', 'broken')).exitCode).toBe(0);
    expect(await statusOf(agent)).toMatchObject({ override: { commitId: a, reason: 'broken', counts: true } });
    expect((await fleet.onServer(agent, 'status')).stdout).toMatch(
      /overridden: stays on [0-9a-f]{10}, by .*: broken\n/,
    );

    await agent.kill('SIGKILL');
    expect(await statusOf(agent)).toMatchObject({ running: false, links: [{ commitId: a }] });
    await rm(link);
    await mkdir(link);
    expect((await fleet.onServer(agent, 'status')).stdout).toContain(`${link} is a directory, not a link of gitfleet`);
    await writeFile(join(agent.state, 'signing-key'), 'torn');
    const damaged = await fleet.onServer(agent, 'status');
    expect(damaged).toMatchObject({ exitCode: 0, stderr: expect.stringContaining('STATE_UNREADABLE') });
    expect(damaged.stdout).toContain('it does not run');
    await servers.first.restart();
  });

  it('names the last failure with its hint, and takes nothing from the agent that runs', async () => {
    fleet = await TestFleet.create(servers.connect());
    const agent = await fleet.startAgent('web-1');
    await fleet.online(1);
    const origin = await fleet.origin();
    const commitId = await origin.commit('a', { f: 'a' });
    await rename(origin.bare, `${origin.bare}.away`);
    await fleet.setConfig(JSON.stringify({ url: origin.url, commitId, relativePath: 'shop' }));
    await fleet.reported('web-1', 'a failure', (report) => report.error !== null);
    const asked = await Promise.all(Array.from({ length: 4 }, () => statusOf(agent)));
    for (const status of asked) {
      expect(status).toMatchObject({ running: true, links: [{ relativePath: 'shop', instead: 'nothing' }] });
      const failure = status.progress?.lastFailure;
      expect(failure?.code).toBe('REPOSITORY_NOT_FOUND');
      expect(failure?.hint).not.toBe('');
    }
    expect((await fleet.onServer(agent, 'status')).stdout).toContain('last failure REPOSITORY_NOT_FOUND');
  });

  it('says that the newest target is refused and why, on a fresh server too, until one is accepted', async () => {
    fleet = await TestFleet.create(servers.connect());
    const agent = await fleet.startAgent('web-1');
    await fleet.online(1);
    const origin = await fleet.origin();
    const commitId = await origin.commit('a', { f: 'a' });
    const refuse = async () => {
      await fleet.setConfig(JSON.stringify({ url: 'file:///nope.git', commitId, relativePath: 'shop' }));
      const { error } = await fleet.reported('web-1', 'the refusal', (report) => report.error?.code === 'URL');
      const { stdout } = await fleet.onServer(agent, 'status');
      expect(stdout).toMatch(
        /\n {2}refused the newest target \(targetVersion \S+\): URL: url: "file:\/\/\/nope\.git": /,
      );
      expect(stdout).toContain(`\n    ${error?.hint}\n`);
      expect(stdout).toMatch(/\nwhat is shown stays; next: follow the hint above\n$/);
      return stdout;
    };
    expect(await refuse()).toContain('no target accepted yet');
    expect((await fleet.publish({ url: origin.url, commitId })).exitCode).toBe(0);
    expect(await statusOf(agent)).toMatchObject({ refused: null });
    expect((await fleet.onServer(agent, 'status')).stdout).toMatch(/\nsettled on what it accepted\n$/);
    expect(await refuse()).toContain(`shows ${commitId}`);
    // It is still known where ZooKeeper is not there to be asked, and by an agent that has not heard of it again.
    await agent.kill('SIGKILL');
    expect((await statusOf(agent)).refused?.failure.code).toBe('URL');
  });

  it('makes nothing where no agent ever ran, and reads what was adopted', async () => {
    fleet = await TestFleet.create(servers.connect());
    const home = join(fleet.directory, 'agents', 'web-1');
    const agent = { id: 'web-1', root: join(home, 'root'), state: join(home, 'state') };
    const said = await fleet.onServer(agent, 'status');
    expect(said).toMatchObject({ exitCode: 0, stderr: '' });
    expect(said.stdout).toMatch(/it does not run[\s\S]*no link yet[\s\S]*no target accepted yet/);
    // Where the agent is a service, one that is run by hand would take the place of it.
    expect(said.stdout).toContain('next: systemctl start gitfleet-agent, or: gitfleet agent run\n');
    await expect(rename(home, home)).rejects.toMatchObject({ code: 'ENOENT' });

    await writeFile(join(fleet.directory, 'file.yml'), '');
    const wrong = await fleet.onServer({ ...agent, state: join(fleet.directory, 'file.yml/state') }, 'status');
    expect(wrong).toMatchObject({
      exitCode: 1,
      stdout: '',
      stderr: expect.stringMatching(/^gitfleet: NOT_DIR: .*\n.*\n$/),
    });

    const origin = await fleet.origin();
    const commitId = await origin.commit('a', { f: 'a' });
    await mkdir(agent.root, { recursive: true, mode: 0o755 });
    await rename(origin.clone, join(agent.root, 'shop'));
    const allowed = ['--allow-url', `file://${fleet.directory}`, '--url', origin.url];
    expect((await fleet.onServer(agent, 'adopt', 'shop', ...allowed, '-m', 'from cron')).exitCode).toBe(0);
    const { stdout } = await fleet.onServer(agent, 'status');
    expect(stdout).toContain(`shop shows ${commitId}`);
    expect(stdout).toMatch(/adopted shop at .*: from cron; before: .*shop\.before-gitfleet\n/);
    expect(stdout).toMatch(/kept [0-9a-f]{10} ended well, shown for /);
  });
});

it('an agent that the fleet cannot see as online says why on its own server', async () => {
  fleet = await TestFleet.create(servers.connect());
  const closed = [{ scheme: 'world', id: 'anyone', permissions: 'r' }] as const;
  await fleet.session.setAcl(fleet.znodes.online, closed, -1);
  const agent = await fleet.startAgent('web-1');
  const { presence } = await until('it says why', async () => {
    const status = await statusOf(agent);
    return status.presence ? status : null;
  });
  expect(presence).toMatchObject({ code: 'NO_AUTH' });
  expect((await fleet.onServer(agent, 'status')).stdout).toMatch(/not online for the fleet for .*: NO_AUTH: /);
  await agent.kill('SIGKILL');
  expect(await statusOf(agent)).toMatchObject({ running: false, presence: null });
});
