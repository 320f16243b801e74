import { afterEach, describe, expect, it } from 'vitest';
import type { Report } from '../../../schemas/report.ts';
import { shown } from '../../support/agent/agent-process.ts';
import { shownCommit, type TestAgent, TestFleet } from '../../support/fleet.ts';
import { until } from '../../support/until.ts';
import { sharedServer } from '../../support/zookeeper/shared.ts';

const servers = sharedServer();
let fleet: TestFleet;
afterEach(() => fleet.stop());

/** It shows b, after a. */
async function oneAgentAtTheSecond(): Promise<{ agent: TestAgent; a: string; b: string }> {
  fleet = await TestFleet.create(servers.connect());
  const agent = await fleet.startAgent('web-1');
  await fleet.online(1);
  const origin = await fleet.origin();
  const [a, b] = [await origin.commit('a', { f: 'a' }), await origin.commit('b', { f: 'b' })];
  for (const commitId of [a, b]) expect((await fleet.publish({ url: origin.url, commitId })).exitCode).toBe(0);
  return { agent, a, b };
}

describe('gitfleet agent suspend', () => {
  it('takes a server out of all rollouts until resume, restarts included, and everybody can see it', async () => {
    fleet = await TestFleet.create(servers.connect());
    const [stays, goes] = (await fleet.startAgents(2)) as [TestAgent, TestAgent];
    await fleet.online(2);
    const origin = await fleet.origin();
    const [a, b] = [await origin.commit('a', { f: 'a' }), await origin.commit('b', { f: 'b' })];
    expect(await fleet.publish({ url: origin.url, commitId: a })).toMatchObject({ exitCode: 0 });
    const said = await fleet.onServer(stays, 'suspend', '-m', 'new disk');
    expect(said).toMatchObject({ exitCode: 0, stderr: '' });
    expect(said.stdout).toContain(`keeps showing ${a}`);
    const report = await fleet.reported('web-1', 'the suspension', (found) => found.phase === 'suspended');
    expect(report).toMatchObject({ activeCommit: a, error: null, suspended: { reason: 'new disk' } });

    // It is not expected: the deployment converges without it.
    expect(await fleet.publish({ url: origin.url, commitId: b })).toMatchObject({ exitCode: 0 });
    await stays.kill('SIGKILL');
    await stays.restart();
    await fleet.reported('web-1', 'the suspension', (found) => found.phase === 'suspended' && found.at > report.at);
    expect(await shownCommit(goes.root, 'shop')).toBe(b);
    expect(await shownCommit(stays.root, 'shop')).toBe(a);
    expect((await fleet.run('status')).stdout).toMatch(/web-1 +suspended .*by \S+ on the server: new disk/);
    const status = await fleet.onServer(stays, 'status');
    expect(status.stdout).toMatch(/suspended by \S+, .* ago: new disk\n/);
    expect(status.stdout).toContain('next: gitfleet agent resume');

    expect((await fleet.onServer(stays, 'resume')).stdout).toMatch(
      /^no longer suspended by \S+: the agent follows the fleet again/,
    );
    await until('it follows', async () => shown(stays, 'shop') === b);
    await fleet.reported('web-1', 'b', (found) => found.phase === 'active' && found.suspended === null);
  });

  it('does not stop a person on the server, and resume ends both', async () => {
    const { agent, a, b } = await oneAgentAtTheSecond();
    await fleet.onServer(agent, 'suspend', '-m', 'looking');
    expect(await fleet.onServer(agent, 'rollback', '-m', 'for a look')).toMatchObject({ exitCode: 0 });
    expect(await shownCommit(agent.root, 'shop')).toBe(a);
    expect((await fleet.onServer(agent, 'resume')).stdout).toContain(`no longer kept on ${a}`);
    await until('the fleet wins', async () => (await shownCommit(agent.root, 'shop')) === b);
    expect((await fleet.onServer(agent, 'resume')).stdout).toContain('nothing to resume');
  });

  it('is seen at once on a server that a person keeps on another commit, restarts included', async () => {
    const { agent, a } = await oneAgentAtTheSecond();
    expect(await fleet.onServer(agent, 'rollback', '-m', 'b is broken')).toMatchObject({ exitCode: 0 });
    await fleet.reported('web-1', 'kept', ({ phase, override }) => phase === 'active' && override !== null);
    await fleet.onServer(agent, 'suspend', '-m', 'leave it');
    const both = ({ suspended, override }: Report) =>
      suspended?.reason === 'leave it' && override?.reason === 'b is broken';
    const report = await fleet.reported('web-1', 'kept and suspended', both);
    expect(report).toMatchObject({ phase: 'suspended', activeCommit: a });
    expect((await fleet.run('status')).stdout).toMatch(/web-1 +suspended .*by \S+ on the server: leave it/);
    const { stdout } = await fleet.run('status', 'web-1');
    expect(stdout).toMatch(/\n {2}override .*b is broken/);
    expect(stdout).toMatch(/\n {2}suspended .*leave it/);

    await agent.kill('SIGKILL');
    await agent.restart();
    await fleet.reported('web-1', 'both again', (found) => both(found) && found.at > report.at);
    expect(await shownCommit(agent.root, 'shop')).toBe(a);
  });

  it('wants a reason, and an agent', async () => {
    fleet = await TestFleet.create(servers.connect());
    const nobody = { id: 'web-7', root: `${fleet.directory}/r`, state: `${fleet.directory}/s` } as TestAgent;
    expect(await fleet.onServer(nobody, 'suspend')).toMatchObject({ exitCode: 2 });
    const said = await fleet.onServer(nobody, 'suspend', '-m', 'x');
    expect(said).toMatchObject({ exitCode: 1 });
    expect(said.stderr).toContain('NO_AGENT');
  });
});
