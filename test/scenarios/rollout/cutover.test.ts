import { lstat, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { readDeployment } from '../../../fleet/history.ts';
import { systemClock } from '../../../runtime/clock.ts';
import { parseRollout, type Rollout } from '../../../schemas/rollout.ts';
import { type Origin, shownCommit, type TestAgent, TestFleet } from '../../support/fleet.ts';
import { openProxy, type TcpProxy } from '../../support/proxy.ts';
import { until } from '../../support/until.ts';
import { sharedServer } from '../../support/zookeeper/shared.ts';

/** Says "hangs", never "slow". */
const BOUND_MS = 240_000;
const AGENTS = 20;
/** Behind a proxy of its own, so that it can be cut off. */
const FAR = 'web-20';
const servers = sharedServer();
let fleet: TestFleet;
let origin: Origin;
let proxy: TcpProxy;
let shownNow: string;

/** The root is four above a release: a server with `hold` there is not ready, one with `bad` there never will be. */
const PREPARE = 'while test -e ../../../../hold; do sleep 0.05; done; ! test -e ../../../../bad';
const SETTINGS = {
  zookeeper: { sessionTimeout: '6s' },
  agent: { prepare: { command: ['sh', '-c', PREPARE] } },
};

beforeAll(async () => {
  fleet = await TestFleet.create(servers.connect());
  const [, port = '', chroot = ''] = /:(\d+)(\/.*)?$/.exec(fleet.zookeeper) ?? [];
  proxy = await openProxy(Number(port));
  await fleet.startAgents(AGENTS - 1, { settings: SETTINGS });
  await fleet.startAgent(FAR, { settings: SETTINGS, zookeeper: `${proxy.connect}${chroot}` });
  await fleet.online(AGENTS);
  origin = await fleet.origin();
  const file = join(fleet.directory, 'policy.yml');
  await writeFile(file, 'cutover: together\ndeadline: 60s\n');
  const set = await fleet.run('policy', 'set', file);
  expect(set).toMatchObject({ exitCode: 0 });
  expect(set.stdout).toContain(`wave 0: ${AGENTS} agents: `);
}, BOUND_MS);
afterEach(async () => {
  for (const { root } of fleet.agents) for (const name of ['hold', 'bad']) await rm(join(root, name), { force: true });
  await proxy.mode('pass');
});
afterAll(async () => {
  await fleet?.stop();
  await proxy?.stop();
});

const rollout = async (): Promise<Rollout> => {
  const node = await fleet.session.get(fleet.znodes.rollout);
  const read = node && parseRollout(node.data);
  if (!read) throw new Error('no rollout');
  return read;
};
const publish = (commitId: string, ...more: string[]) => fleet.publish({ url: origin.url, commitId }, ...more);
const shows = (agents = fleet.agents) =>
  Promise.all(agents.map((agent) => shownCommit(agent.root, 'shop').catch(() => null)));
const all = (commitId: string | null, agents = fleet.agents) => agents.map(() => commitId);
const agentOf = (id: string) => fleet.agents.find((agent) => agent.id === id) as TestAgent;
const others = (...ids: string[]) => fleet.agents.filter(({ id }) => !ids.includes(id));
const outcomeOf = async (number: number) => {
  const record = await readDeployment(fleet.session, fleet.znodes, number);
  return record?.outcome ?? null;
};
/** When the kernel swapped each link, ms since the epoch, whatever the agents say. */
const swapTimes = (agents = fleet.agents) =>
  Promise.all(agents.map(async ({ root }) => (await lstat(join(root, 'shop'))).ctimeMs));

/** Publishes a commit that all can prepare but these; resolves once all others are ready. */
async function held(ids: readonly string[], content: string): Promise<string> {
  for (const id of ids) await writeFile(join(agentOf(id).root, 'hold'), '');
  const commitId = await origin.commit(content, { page: content });
  expect(await publish(commitId, '--detach')).toMatchObject({ exitCode: 0 });
  for (const { id } of others(...ids)) await fleet.reported(id, 'ready', ({ phase }) => phase === 'awaiting', 60_000);
  return commitId;
}
const release = (id: string) => rm(join(agentOf(id).root, 'hold'));
const named = () => until('an instant', async () => (await rollout()).activateAt, 60_000);
const ended = (state: Rollout['state']) =>
  until(`the rollout is ${state}`, async () => ((await rollout()).state === state ? await rollout() : null), 90_000);

describe('a cutover', { timeout: BOUND_MS }, () => {
  it('swaps 20 links at one instant, never before it, and says how close together', async () => {
    const commitId = await origin.commit('a', { page: 'a' });
    const said = await publish(commitId);
    expect(said).toMatchObject({ exitCode: 0 });
    expect(said.stdout).toMatch(/: 20\/20 online agents at .*; \d+ agents swapped within \d+ ms, clocks to \d+ ms/);
    const { activateAt, deployment } = await ended('proven');
    expect(await shows()).toEqual(all(commitId));
    const { cutover } = (await outcomeOf(deployment)) ?? {};
    const times = await swapTimes();
    const spreadMs = Math.max(...times) - Math.min(...times);
    console.log(
      `cutover of ${AGENTS}: by the reports ${JSON.stringify(cutover)}, by the kernel ${spreadMs.toFixed(1)} ms`,
    );
    // A tick of the kernel is up to 4 ms, and the clocks are known to within the error.
    expect(Math.min(...times)).toBeGreaterThan((activateAt?.at ?? 0) - (cutover?.errorMs ?? 0) - 10);
    expect((cutover?.waited ?? 0) + (cutover?.delayed.length ?? 0)).toBe(AGENTS);
    expect((await fleet.run('history')).stdout).toMatch(/\(\d+ agents swapped within \d+ ms, clocks to \d+ ms/);
    expect((await fleet.run('status')).stdout).toMatch(/ {2}\d+ agents swapped within \d+ ms, clocks to \d+ ms/);
    expect(JSON.parse((await fleet.run('status', '--json')).stdout).cutover).toEqual(cutover);
    const followed = (await fleet.run('attach', '--json')).stdout.trim().split('\n').at(-1) ?? '';
    expect(JSON.parse(followed)).toMatchObject({ ending: 'converged', cutover });
    expect(await fleet.session.children(`${fleet.app}/permits`)).toEqual([]);
    shownNow = commitId;
  });

  it('swaps nobody where prepare fails on one, and the rollout halts', async () => {
    await writeFile(join(agentOf('web-7').root, 'bad'), '');
    const commitId = await origin.commit('b', { page: 'b' });
    const told = await publish(commitId);
    expect(told.exitCode).not.toBe(0);
    expect(`${told.stdout}${told.stderr}`).toContain('web-7 failed: PREPARE_FAILED');
    const { activateAt, cleared } = await ended('halted');
    expect([activateAt, cleared]).toEqual([null, []]);
    expect(await shows()).toEqual(all(shownNow));
  });

  it('has all or nobody swapped where the leader is killed between ready and the instant', async () => {
    const { leader } = await rollout();
    const leading = agentOf(leader?.agentId ?? '');
    const last = leading.id === 'web-3' ? 'web-4' : 'web-3';
    const commitId = await held([last], 'c');
    leading.process.kill('SIGSTOP');
    await release(last);
    await fleet.reported(last, 'ready', ({ phase }) => phase === 'awaiting', 60_000);
    // All are ready, and the one that could say so stands still.
    await systemClock.sleep(500);
    expect((await rollout()).activateAt).toBeNull();
    expect(await shows()).toEqual(all(shownNow));
    await leading.kill('SIGKILL');
    const instant = await named();
    const rest = others(leading.id);
    const after = await ended('proven');
    expect(after.leader?.agentId).not.toBe(leading.id);
    expect(await shows(rest)).toEqual(all(commitId, rest));
    expect(Math.min(...(await swapTimes(rest)))).toBeGreaterThan(instant.at - 50);
    const outcome = await outcomeOf(after.deployment);
    expect(outcome?.missing.map(({ agentId }) => agentId)).toEqual([leading.id]);
    console.log(`cutover after the leader was killed: ${JSON.stringify(outcome?.cutover)}`);
    await leading.restart();
    await fleet.online(AGENTS);
    await fleet.reported(
      leading.id,
      'it',
      ({ phase, activeCommit }) => phase === 'active' && activeCommit === commitId,
    );
    shownNow = commitId;
  });

  it('lets one that is cut off after it was ready swap late, and lists how late', async () => {
    const { leader } = await rollout();
    const last = leader?.agentId === 'web-5' ? 'web-6' : 'web-5';
    const commitId = await held([last], 'd');
    await proxy.mode('hold');
    await release(last);
    const instant = await named();
    const near = others(FAR);
    for (const { id } of near) await fleet.reported(id, 'it', ({ activeCommit }) => activeCommit === commitId, 60_000);
    expect(await shows([agentOf(FAR)])).toEqual([shownNow]);
    await until('the instant is long over', async () => systemClock.now() > instant.at + 1_500);
    await proxy.mode('pass');
    const after = await ended('proven');
    expect(await shows()).toEqual(all(commitId));
    const cutover = (await outcomeOf(after.deployment))?.cutover;
    console.log(`cutover with one cut off: ${JSON.stringify(cutover)}`);
    const late = cutover?.delayed.find(({ agentId }) => agentId === FAR);
    const [swappedAt = 0] = await swapTimes([agentOf(FAR)]);
    expect(late?.delayMs).toBeGreaterThan(1_000);
    expect(Math.abs((late?.delayMs ?? 0) - (swappedAt - instant.at))).toBeLessThan(500);
    expect((await fleet.run('history')).stdout).toMatch(new RegExp(`later: .*${FAR} by \\d+\\.\\d s`));
  });
});

describe('policy set', { timeout: BOUND_MS }, () => {
  it('refuses a cutover while an agent that is online restarts units, and names it', async () => {
    const agent = await fleet.startAgent('web-21', { settings: { ...SETTINGS, agent: { restart: ['shop.service'] } } });
    await fleet.online(AGENTS + 1);
    const refused = await fleet.run('policy', 'set', join(fleet.directory, 'policy.yml'));
    expect(refused).toMatchObject({ exitCode: 5 });
    expect(refused.stderr).toContain('CUTOVER');
    expect(refused.stderr).toContain('web-21: it restarts units after the swap');
    await agent.kill('SIGTERM');
  });
});
