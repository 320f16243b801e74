import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../runtime/clock.ts';
import { encodeQuarantine } from '../../../schemas/hold.ts';
import { encodePolicy, policy } from '../../../schemas/policy.ts';
import type { Report } from '../../../schemas/report.ts';
import { encodePermit, encodeRollout, type Rollout, rollout } from '../../../schemas/rollout.ts';
import { targetVersionOf } from '../../../schemas/target.ts';
import type { CommitId, TargetVersion } from '../../../schemas/values.ts';
import { standForElection } from '../../../zookeeper/recipes/election.ts';
import { ANY_VERSION } from '../../../zookeeper/session.ts';
import { agentHome, shown, startLife } from '../../support/agent/agent-process.ts';
import { git } from '../../support/commands.ts';
import { type Origin, shownCommit, type TestAgent, TestFleet } from '../../support/fleet.ts';
import { silentLog } from '../../support/log.ts';
import { until } from '../../support/until.ts';
import { sharedServer } from '../../support/zookeeper/shared.ts';

const servers = sharedServer();
let fleet: TestFleet;
afterEach(() => fleet.stop());

/** A fleet whose coordinator is this test: it is elected first, and says what it wants. */
async function led(agents: number): Promise<{ agents: TestAgent[]; origin: Origin }> {
  fleet = await TestFleet.create(servers.connect());
  const [path, clock, random] = [fleet.znodes.election, systemClock, Math.random] as const;
  const candidacy = standForElection(fleet.session, { path, data: Buffer.from('{}'), clock, random, log: silentLog });
  await until('this test leads', async () => candidacy.term !== undefined);
  await fleet.session.set(fleet.znodes.policy, encodePolicy(policy().parse({ canary: 1 })), ANY_VERSION);
  const started = await fleet.startAgents(agents, { settings: { zookeeper: { sessionTimeout: '4s' } } });
  await fleet.online(agents);
  return { agents: started, origin: await fleet.origin() };
}

async function target(origin: Origin, commitId: string): Promise<TargetVersion> {
  await fleet.setConfig(JSON.stringify({ url: origin.url, commitId, relativePath: 'shop' }));
  const node = await fleet.session.get(fleet.znodes.config);
  if (!node) throw new Error('no config');
  return targetVersionOf(node.stat);
}

async function order(targetVersion: TargetVersion, change: Partial<Rollout>): Promise<void> {
  const value = rollout().parse({ deployment: 7, targetVersion, state: 'running', ...change });
  await fleet.session.set(fleet.znodes.rollout, encodeRollout(value), ANY_VERSION);
}

async function permit(agentId: string, targetVersion: TargetVersion): Promise<void> {
  const path = fleet.znodes.permit(agentId);
  await fleet.session.ensure(path);
  await fleet.session.set(path, encodePermit(targetVersion), ANY_VERSION);
}

const base = (origin: Origin, commitId: string) => ({ deployment: 3, url: origin.url, commitId, relativePath: 'shop' });
const awaits = (id: string) => fleet.reported(id, 'that it awaits', (report) => report.phase === 'awaiting');
const activeOn = (commitId: string) => (report: Report) =>
  report.phase === 'active' && report.activeCommit === commitId;
const shows = (agent: TestAgent) => shown(agent, 'shop');

describe('leave to activate', () => {
  it('is a permit for this very target, counts while the rollout goes on, and wakes nobody else', async () => {
    const { agents, origin } = await led(3);
    const [one, two, three] = agents as [TestAgent, TestAgent, TestAgent];
    const a = await origin.commit('a', { f: 'a' });
    const first = await target(origin, a);
    // No rollout yet, but a policy: everything is made ready.
    const ready = await Promise.all(agents.map((agent) => awaits(agent.id)));
    expect(ready[0]).toMatchObject({
      activeCommit: null,
      waitingFor: 'a coordinator to begin the rollout',
      error: null,
    });
    // On the server this is no failure either; what the disk does not know is not said.
    const local = (await fleet.onServer(one, 'status')).stdout;
    expect(local).toContain('  activation waits for its turn: the release is ready\n');
    expect(local).toMatch(new RegExp(`  kept ${a.slice(0, 10)} not shown yet, made .* ago\\n`));
    expect(local).toContain('ready, waiting for its turn to activate; next: gitfleet status');
    await order(first, {});
    await permit(one.id, first);
    await fleet.reported(one.id, 'a', activeOn(a));
    // Made ready, given leave, activated: what is told of it is bounded (docs/design.md section 3).
    const writes = (await fleet.session.get(fleet.znodes.report(one.id)))?.stat.version ?? Number.POSITIVE_INFINITY;
    expect(writes).toBeLessThanOrEqual(5);
    expect([shows(two), shows(three)]).toEqual([null, null]);

    await order(first, { state: 'paused', paused: { by: 'ann', reason: 'lunch', at: 1 } });
    await permit(two.id, first);
    await fleet.reported(two.id, 'a, permitted before', activeOn(a));
    await order(first, { state: 'halted' });
    await permit(three.id, first);
    await systemClock.sleep(500);
    expect(shows(three)).toBeNull();
    await order(first, { state: 'proven', base: base(origin, a) });
    await fleet.reported(three.id, 'a, proven', activeOn(a));

    // The permit of the last target is none for the next, nor is its rollout.
    const b = await origin.commit('b', { f: 'b' });
    const second = await target(origin, b);
    await Promise.all(agents.map((agent) => awaits(agent.id)));
    await order(second, { base: base(origin, a) });
    await systemClock.sleep(300);
    expect(agents.map(shows)).toEqual([a, a, a]);
    await order(second, { state: 'aborted', base: base(origin, a) });
    await fleet.reported(one.id, 'the end', (report) => report.waitingFor === 'another target: d-7 is aborted');
    await permit(one.id, second);
    await systemClock.sleep(300);
    expect(agents.map(shows)).toEqual([a, a, a]);
    await order(second, { permits: false });
    for (const agent of agents) await fleet.reported(agent.id, 'b', activeOn(b));
  });

  it('is not asked for any more once the policy is taken away, and again once there is one', async () => {
    const { agents, origin } = await led(2);
    const a = await origin.commit('a', { f: 'a' });
    await target(origin, a);
    await Promise.all(agents.map((agent) => awaits(agent.id)));
    expect(agents.map(shows)).toEqual([null, null]);
    await fleet.session.set(fleet.znodes.policy, encodePolicy(null), ANY_VERSION);
    for (const agent of agents) await fleet.reported(agent.id, 'a, without a policy', activeOn(a));
    await fleet.session.set(fleet.znodes.policy, Buffer.from('what nobody can read'), ANY_VERSION);
    await target(origin, await origin.commit('b', { f: 'b' }));
    await Promise.all(agents.map((agent) => awaits(agent.id)));
    expect(agents.map(shows)).toEqual([a, a]);
  });

  it('is asked for again right before the swap: a quarantine holds it back, and lets it go when it is lifted', async () => {
    const { agents, origin } = await led(1);
    const [agent] = agents as [TestAgent];
    const a = await origin.commit('a', { f: 'a' });
    const entry = { commitId: a as CommitId, reason: 'it broke', by: 'ann', at: 1 };
    await fleet.session.set(fleet.znodes.quarantine, encodeQuarantine([entry]), ANY_VERSION);
    await order(await target(origin, a), { permits: false });
    const report = await fleet.reported(agent.id, 'the quarantine', (found) => found.error !== null);
    expect(report.error).toMatchObject({ code: 'QUARANTINED', next: 'wait' });
    expect(shows(agent)).toBeNull();
    await fleet.session.set(fleet.znodes.quarantine, Buffer.alloc(0), ANY_VERSION);
    await fleet.reported(agent.id, 'a', activeOn(a), 60_000);
    // Whoever shows it keeps it.
    await fleet.session.set(fleet.znodes.quarantine, encodeQuarantine([entry]), ANY_VERSION);
    await agent.restart();
    await fleet.reported(agent.id, 'a still', (found) => activeOn(a)(found) && found.at > report.at);
    expect(await shownCommit(agent.root, 'shop')).toBe(a);
  });
});

describe('without leave', () => {
  it('joiners and returning servers go to the base; who was there stays, restarted or not', async () => {
    const { agents, origin } = await led(2);
    const [stays, leaves] = agents as [TestAgent, TestAgent];
    const [a, b, c] = [
      await origin.commit('a', { f: 'a' }),
      await origin.commit('b', { f: 'b' }),
      await origin.commit('c', { f: 'c' }),
    ];
    await order(await target(origin, a), { permits: false });
    for (const agent of agents) await fleet.reported(agent.id, 'a', activeOn(a));
    await leaves.kill('SIGTERM');
    await fleet.online(1);
    await order(await target(origin, b), { permits: false });
    await fleet.reported(stays.id, 'b', activeOn(b));
    const bad = await target(origin, c);
    await awaits(stays.id);
    await order(bad, { base: base(origin, b) });
    // Restarted in mid-rollout it is late by its presence, and still the one that saw the target in time.
    await stays.restart();
    const joins = await fleet.startAgent('web-9');
    await leaves.restart();
    for (const agent of [joins, leaves, stays]) {
      const report = await awaits(agent.id);
      await fleet.reported(agent.id, 'the base', (found) => found.phase === 'awaiting' && found.activeCommit === b);
      expect(report.desiredCommit).toBe(c);
      expect(await shownCommit(agent.root, 'shop')).toBe(b);
    }
    // Each of them has made the target ready meanwhile: no origin is needed any more.
    await rm(origin.bare, { recursive: true });
    await permit(joins.id, bad);
    await fleet.reported(joins.id, 'c', activeOn(c));
    await order(bad, { state: 'proven', base: base(origin, c) });
    for (const agent of [leaves, stays]) await fleet.reported(agent.id, 'c', activeOn(c));
  });

  it('a base that this agent would refuse as a target is none: not fetched, not shown, not activated', async () => {
    const { origin } = await led(0);
    const evil = await fleet.origin('evil');
    const activated = join(fleet.directory, 'activated');
    const activate = { command: ['/bin/sh', '-c', `echo "$GITFLEET_COMMIT" >> ${activated}`] };
    const home = agentHome(fleet, 'web-1', { allowUrls: [origin.url], activate });
    const life = startLife(home);
    try {
      await fleet.online(1);
      const [a, b] = [await origin.commit('a', { f: 'a' }), await origin.commit('b', { f: 'b' })];
      const bad = await evil.commit('bad', { f: 'bad' });
      await order(await target(origin, a), { permits: false });
      await fleet.reported('web-1', 'a', activeOn(a));

      await fleet.setConfig(JSON.stringify({ url: origin.url, commitId: b, relativePath: 'fresh' }));
      const node = await fleet.session.get(fleet.znodes.config);
      const version = targetVersionOf((node as NonNullable<typeof node>).stat);
      const outside = { deployment: 3, url: evil.url, commitId: bad, relativePath: '../outside' };
      const refused: [NonNullable<Rollout['base']>, string][] = [
        [outside, 'URL'],
        [{ ...outside, url: origin.url, commitId: a }, 'PATH'],
      ];
      for (const [base, code] of refused) {
        await order(version, { state: 'paused', permits: true, base });
        await awaits('web-1');
        await systemClock.sleep(1_000);
        expect(await readdir(home.directory)).not.toContain('outside');
        expect((await readdir(home.root)).sort()).toEqual(['.gitfleet', 'shop']);
        expect(await readdir(join(home.app, 'releases'))).not.toContain(bad);
        await expect(git(join(home.appState, 'store.git'), 'cat-file', '-e', bad)).rejects.toThrow();
        expect(await readFile(activated, 'utf8')).toBe(`${a}\n`);
        expect(await shownCommit(home.root, 'shop')).toBe(a);
        const said = new RegExp(`"code":"${code}".*base of the rollout refused`);
        await until(`${code} is logged`, async () => said.test(await readFile(home.logFile, 'utf8')));
      }
      // A permit is all that it waits for.
      await permit('web-1', version);
      await fleet.reported('web-1', 'b', activeOn(b));
    } finally {
      await life.kill('SIGTERM');
    }
  });

  it('who was online keeps what it serves, though it is not the base', async () => {
    const { agents, origin } = await led(1);
    const [agent] = agents as [TestAgent];
    const [a, b, c] = [
      await origin.commit('a', { f: 'a' }),
      await origin.commit('b', { f: 'b' }),
      await origin.commit('c', { f: 'c' }),
    ];
    await order(await target(origin, b), { permits: false });
    await fleet.reported(agent.id, 'b', activeOn(b));
    const next = await target(origin, c);
    await order(next, { base: base(origin, a) });
    await awaits(agent.id);
    await agent.restart();
    await awaits(agent.id);
    await systemClock.sleep(500);
    expect(shows(agent)).toBe(b);
  });
});
