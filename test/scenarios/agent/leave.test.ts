import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TestFleet } from '../../support/fleet.ts';
import { until } from '../../support/until.ts';
import { sharedServer } from '../../support/zookeeper/shared.ts';

/** Servers that go away for good, by their own word or by an operator's: nothing waits for them. */
const servers = sharedServer();
let fleet: TestFleet;
beforeEach(async () => {
  // With rights: an agent marks its report by its own credential alone.
  fleet = await TestFleet.create(servers.connect(), undefined, { open: false });
});
afterEach(() => fleet.stop());

const file = (role: string) => `${fleet.directory}/gitfleet-credentials/${role}.auth`;
const asAgent = () => ['--auth-file', file('agent')];
const asOperator = (...words: string[]) => fleet.run(...words, '--auth-file', file('operator'));

interface Shown {
  agents: { agentId: string; presence: unknown; report: unknown }[];
}
const status = async () => JSON.parse((await asOperator('status', '--json')).stdout) as Shown;
const known = async () => (await status()).agents.map(({ agentId }) => agentId);
const online = (...ids: string[]) =>
  until(`${ids} online with a report`, async () => {
    const found = (await status()).agents.filter(({ presence, report }) => presence && report);
    return found.map(({ agentId }) => agentId).join() === ids.join();
  });
const listed = async () =>
  (await asOperator('forget', '--list', '--json')).stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));

describe('an agent', () => {
  it('with the label ephemeral leaves whenever it is stopped, and is back when it runs', async () => {
    const agent = await fleet.startAgent('auto-1', { args: [...asAgent(), '--label', 'ephemeral='] });
    await fleet.startAgent('web-1', { args: asAgent() });
    await online('auto-1', 'web-1');
    await agent.kill('SIGTERM');
    await fleet.agents[1]?.kill('SIGTERM');
    await until('only the other one is expected', async () => (await known()).join() === 'web-1');
    const said = (await listed()).map(({ agentId, left }) => `${agentId} ${left}`);
    expect(said.toSorted()).toEqual(['auto-1 true', 'web-1 false']);
    expect((await asOperator('status', 'auto-1')).stdout).toContain('auto-1: left for good: nothing expects it');
    await agent.restart();
    await until('it is back', async () => (await known()).join() === 'auto-1,web-1');
  });

  it('leaves by a verb once it is stopped, and not while it runs', async () => {
    const agent = await fleet.startAgent('web-1', { args: asAgent() });
    await online('web-1');
    const leave = () => fleet.onServer(agent, 'leave', '-z', fleet.zookeeper, ...asAgent());
    const running = await leave();
    expect(running.stderr).toContain('STATE_TAKEN');
    expect(running.stderr).toContain('stop it first');
    await agent.kill('SIGTERM');
    expect(await leave()).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('web-1 has left') });
    expect(await known()).toEqual([]);
    const nowhere = { ...agent, state: `${agent.state}-2` };
    const none = await fleet.onServer(nowhere, 'leave', '-z', fleet.zookeeper, ...asAgent());
    expect(none.stderr).toContain('NO_AGENT');
  });
});

it('many are forgotten at once by name; one that cannot be keeps no other from it', async () => {
  const agents = await Promise.all(['web-1', 'web-2', 'web-3'].map((id) => fleet.startAgent(id, { args: asAgent() })));
  await online('web-1', 'web-2', 'web-3');
  await Promise.all(agents.slice(1).map((agent) => agent.kill('SIGTERM')));
  await until('two are offline', async () => (await listed()).length === 2);
  expect((await asOperator('forget', '-l')).stdout).toMatch(
    /^web-\d: last report \d.* ago\nweb-\d: last report .* ago\nnext: gitfleet forget /,
  );
  expect(await asOperator('forget', '-l', 'web-1')).toMatchObject({ exitCode: 2 });
  const said = await asOperator('forget', 'web-2', 'web-1', 'web-3');
  expect(said).toMatchObject({ exitCode: 5, stderr: expect.stringContaining('ONLINE: web-1 is online') });
  expect(await known()).toEqual(['web-1']);
  expect((await asOperator('forget', '-l')).stdout).toBe('no agent is offline: there is nothing to forget\n');
});
