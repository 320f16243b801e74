import { readFile } from 'node:fs/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../runtime/clock.ts';
import { shownCommit, TestFleet } from '../../support/fleet.ts';
import { until } from '../../support/until.ts';
import { realServers } from '../../support/zookeeper/server.ts';

const servers = realServers(1);
let fleet: TestFleet;
afterEach(() => fleet.stop());

const shows = (root: string, commitId: string, boundMs?: number) =>
  until(`the link shows ${commitId.slice(0, 10)}`, async () => (await shownCommit(root, 'shop')) === commitId, boundMs);

describe('an outage of ZooKeeper', () => {
  it('of ten seconds: what is served stays served, and the agents converge without help', async () => {
    fleet = await TestFleet.create(servers.connect());
    const [agent, second] = (await fleet.startAgents(2, { settings: { zookeeper: { sessionTimeout: '6s' } } })) as [
      Awaited<ReturnType<TestFleet['startAgent']>>,
      Awaited<ReturnType<TestFleet['startAgent']>>,
    ];
    await fleet.online(2);
    const origin = await fleet.origin();
    const a = await origin.commit('a', { f: 'a' });
    const b = await origin.commit('b', { f: 'b' });
    expect((await fleet.publish({ url: origin.url, commitId: a })).exitCode).toBe(0);

    await servers.first.kill('SIGKILL');
    const gone = performance.now();
    // An agent that is started while ZooKeeper is away, and one that is restarted.
    const third = await fleet.startAgent('web-3', { settings: { zookeeper: { sessionTimeout: '6s' } } });
    await second.restart();
    while (performance.now() - gone < 10_000) {
      expect(await readFile(`${agent.root}/shop/f`, 'utf8')).toBe('a');
      await systemClock.sleep(200);
    }
    await servers.first.restart();
    await fleet.online(3);
    const said = await fleet.publish({ url: origin.url, commitId: b });
    expect(said).toMatchObject({ exitCode: 0 });
    expect(said.stdout).toContain('3/3 online agents');
    for (const { root } of [agent, second, third]) await shows(root, b);
  });

  it('during which a target was written by hand: it is seen after the return', async () => {
    fleet = await TestFleet.create(servers.connect());
    const agent = await fleet.startAgent('web-1', { settings: { zookeeper: { sessionTimeout: '6s' } } });
    await fleet.online(1);
    const origin = await fleet.origin();
    const a = await origin.commit('a', { f: 'a' });
    expect((await fleet.publish({ url: origin.url, commitId: a })).exitCode).toBe(0);
    agent.process.kill('SIGSTOP');
    const b = await origin.commit('b', { f: 'b' });
    expect((await fleet.publish({ url: origin.url, commitId: b }, '--detach')).exitCode).toBe(0);
    // Longer than its session: the server drops the session while the agent sleeps.
    await until(
      'the session of the sleeping agent is over',
      async () => (await fleet.session.children(fleet.znodes.online))?.length === 0,
    );
    agent.process.kill('SIGCONT');
    await shows(agent.root, b);
    await fleet.online(1);
    await fleet.reported('web-1', 'active', (report) => report.phase === 'active' && report.activeCommit === b);
  });
});

describe('an agent that dies', () => {
  it('goes on where the disk is: killed while nothing runs, restarted on a newer target', async () => {
    fleet = await TestFleet.create(servers.connect());
    const agent = await fleet.startAgent('web-1');
    await fleet.online(1);
    const origin = await fleet.origin();
    const a = await origin.commit('a', { f: 'a' });
    const b = await origin.commit('b', { f: 'b' });
    expect((await fleet.publish({ url: origin.url, commitId: a })).exitCode).toBe(0);
    await agent.kill('SIGKILL');
    expect((await fleet.publish({ url: origin.url, commitId: b }, '--detach')).exitCode).toBe(0);
    await agent.restart();
    await shows(agent.root, b);
    // Its own dead presence is taken over at once, the server has not expired it yet.
    await fleet.reported('web-1', 'active', (report) => report.phase === 'active');
  });

  it('ends on SIGTERM by itself, exit 0', async () => {
    fleet = await TestFleet.create(servers.connect());
    const agent = await fleet.startAgent('web-1');
    await fleet.online(1);
    await agent.kill('SIGTERM');
    expect(agent.process.exitCode).toBe(0);
    expect((await agent.log()).trim().split('\n').at(-1)).toContain('"stopped"');
    await until('its presence is gone', async () => (await fleet.session.children(fleet.znodes.online))?.length === 0);
  });

  it('keeps others out of its directories, and out of its name', async () => {
    fleet = await TestFleet.create(servers.connect());
    const agent = await fleet.startAgent('web-1');
    await fleet.online(1);
    const start = (id: string, root: string, state: string) =>
      fleet.onServer({ id, root, state }, 'run', '-z', fleet.zookeeper);
    const sameState = await start('web-2', `${fleet.directory}/x`, agent.state);
    expect(sameState).toMatchObject({ exitCode: 6 });
    expect(sameState.stderr).toContain('STATE_TAKEN');
    const sameRoot = await start('web-2', agent.root, `${fleet.directory}/y`);
    expect(sameRoot).toMatchObject({ exitCode: 6 });
    expect(sameRoot.stderr).toContain('ROOT_TAKEN');
    // The same name from another machine's directories: refused its presence, serves and says nothing under it.
    const clone = await fleet.startAgent('web-1', { home: 'clone' });
    const words = `waiting for the name web-1, which process ${agent.process.pid} on `;
    await until('the clone says who holds its name', async () => (await clone.log()).includes(words));
    const origin = await fleet.origin();
    const commitId = await origin.commit('a', { f: 'a' });
    expect((await fleet.publish({ url: origin.url, commitId })).exitCode).toBe(0);
    await expect(shownCommit(clone.root, 'shop')).rejects.toThrow();
    // Its turn comes when the holder goes.
    await agent.kill('SIGTERM');
    await shows(clone.root, commitId);
    expect((await fleet.session.children(fleet.znodes.online))?.length).toBe(1);
  });
});
