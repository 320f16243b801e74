import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { readDeployment } from '../../../fleet/history.ts';
import { steerRollout } from '../../../publisher/steer-rollout.ts';
import { systemClock } from '../../../runtime/clock.ts';
import { parseRollout, type Rollout } from '../../../schemas/rollout.ts';
import type { Ran } from '../../support/commands.ts';
import { type Origin, shownCommit, type TestAgent, TestFleet } from '../../support/fleet.ts';
import { SOAK } from '../../support/seeded.ts';
import { until } from '../../support/until.ts';
import { realServers } from '../../support/zookeeper/server.ts';

/** Says "hangs", never "slow". */
const BOUND_MS = SOAK ? 600_000 : 180_000;
const servers = realServers(SOAK ? 3 : 1);
let fleet: TestFleet;
afterEach(() => fleet.stop());

/** A release with a file named `bad` fails its health check; each activation leaves a line beside the releases. */
const SETTINGS = {
  zookeeper: { sessionTimeout: '4s' },
  agent: {
    activate: { command: ['sh', '-c', 'echo $GITFLEET_COMMIT >> ../../activations'] },
    health: {
      checks: [{ command: ['sh', '-c', '! test -e bad'] }],
      ...{ interval: '100ms', rise: 1, healthyFor: '100ms', fall: 1, start: '0s' },
    },
  },
};

async function begin(agents: number, policy: string): Promise<Origin> {
  fleet = await TestFleet.create(servers.connect());
  await setPolicy(policy);
  await fleet.startAgents(agents, { settings: SETTINGS });
  await fleet.online(agents);
  return await fleet.origin();
}

async function setPolicy(text: string): Promise<Ran> {
  const file = join(fleet.directory, 'policy.yml');
  await writeFile(file, text);
  const set = await fleet.run('policy', 'set', file);
  expect(set.exitCode).toBe(0);
  return set;
}

const publish = (origin: Origin, commitId: string, ...more: string[]) =>
  fleet.publish({ url: origin.url, commitId }, ...more);
const rollout = async (): Promise<Rollout | null> => {
  const node = await fleet.session.get(fleet.znodes.rollout);
  return node && parseRollout(node.data);
};
const reached = (what: string, fits: (rollout: Rollout) => boolean) =>
  until(
    what,
    async () => {
      const found = await rollout();
      return found && fits(found) && found;
    },
    60_000,
  );
const shows = () => Promise.all(fleet.agents.map((agent) => shownCommit(agent.root, 'shop').catch(() => null)));
const all = (commitId: string) => fleet.agents.map(() => commitId);
const agentOf = (id: string) => fleet.agents.find((agent) => agent.id === id) as TestAgent;
/** The commits that an agent ran its activate command for, in order. */
const activations = async (agent: TestAgent): Promise<string[]> => {
  const app = fleet.app.slice(1).replaceAll('/', '+');
  const file = join(agent.root, '.gitfleet', app, 'activations');
  return (await readFile(file, 'utf8').catch(() => '')).split('\n').filter(Boolean);
};

describe('a rollout with a policy', { timeout: BOUND_MS }, () => {
  it('stops a bad commit at the canary, goes back, says why with exit code 3, and lets the next good push through', async () => {
    const count = SOAK ? 20 : 6;
    const origin = await begin(count, 'canary: 1\nmaxParallel: 25%\n');
    const good = await origin.commit('good', { page: 'one' });
    const first = await publish(origin, good);
    expect(first).toMatchObject({ exitCode: 0 });
    expect(first.stdout).toContain('canary: web-1');
    expect(await shows()).toEqual(all(good));

    const bad = await origin.commit('bad', { page: 'two', bad: '' });
    const second = await publish(origin, bad);
    expect(second).toMatchObject({ exitCode: 3 });
    expect(second.stdout).toMatch(/web-1: failed: HEALTH\w* /);
    expect(second.stdout).toMatch(/d-2 \w+ ROLLED BACK: canary web-1 failed: HEALTH\w* /);
    expect(second.stdout).toContain('is in quarantine; the fleet goes back to');
    const activated = await Promise.all(fleet.agents.map(activations));
    expect(activated.map((commits) => commits.includes(bad))).toEqual(fleet.agents.map(({ id }) => id === 'web-1'));

    await reached('the way back proven', (found) => found.deployment === 3 && found.state === 'proven');
    expect(await shows()).toEqual(all(good));
    expect(await readDeployment(fleet.session, fleet.znodes, 2)).toMatchObject({ outcome: { state: 'rolled-back' } });
    expect(await fleet.run('attach', 'd-2')).toMatchObject({ exitCode: 3 });
    expect(await publish(origin, bad)).toMatchObject({ exitCode: 5, stderr: expect.stringContaining('QUARANTINED') });

    await rm(join(origin.clone, 'bad'));
    const next = await origin.commit('mended', { page: 'three' });
    expect(await publish(origin, next)).toMatchObject({ exitCode: 0 });
    expect(await shows()).toEqual(all(next));
    expect((await rollout())?.base).toMatchObject({ commitId: next });
  });

  it('goes on under a new leader, whichever phase the old one was killed in, with nobody skipped or done twice', async () => {
    const origin = await begin(SOAK ? 12 : 4, 'canary: 1\nmaxParallel: 2\nsoak: 1s\ndeadline: 2m\n');
    const a = await origin.commit('a', { page: 'a' });
    await publish(origin, a);
    const commits: string[] = [];
    const phases: [string, (found: Rollout) => boolean][] = [
      ['at the canary', ({ wave, state }) => wave === 0 && state === 'running'],
      ['while the canary soaks', ({ wave, soakAt }) => wave === 0 && soakAt !== null],
      ['in a later wave', ({ wave }) => wave === 1],
    ];
    const killed = new Set<string>();
    for (const [at, [phase, fits]] of phases.entries()) {
      const commit = await origin.commit(phase, { page: phase });
      commits.push(commit);
      await publish(origin, commit, '--detach');
      const found = await reached(phase, (each) => each.deployment === at + 2 && fits(each));
      const leader = agentOf(found.leader?.agentId ?? '');
      killed.add(leader.id);
      await leader.kill('SIGKILL');
      await leader.restart();
      const proven = await reached(
        `proven, after a kill ${phase}`,
        (each) => each.deployment === at + 2 && each.state === 'proven',
      );
      expect(proven.canary).toEqual(['web-1']);
      expect(await shows()).toEqual(all(commit));
    }
    for (const agent of fleet.agents) {
      // Steps are run at least once; twice only where an agent was killed in one.
      const ran = await activations(agent);
      if (killed.has(agent.id)) expect(new Set(ran)).toEqual(new Set([a, ...commits]));
      else expect(ran).toEqual([a, ...commits]);
    }
  });

  it('brings an agent that missed three deployments, one of them rolled back, to the proven one', async () => {
    const origin = await begin(4, 'canary: 1\nmaxParallel: 100%\n');
    await publish(origin, await origin.commit('a', { page: 'a' }));
    const away = agentOf('web-4');
    await away.kill('SIGTERM');
    await fleet.online(3);
    const { stdout, exitCode } = await publish(origin, await origin.commit('b', { page: 'b' }));
    expect([exitCode, stdout]).toEqual([0, expect.stringContaining('3')]);
    expect((await readDeployment(fleet.session, fleet.znodes, 2))?.outcome).toMatchObject({
      ...{ state: 'proven', reached: 3, expected: 4, missing: [{ agentId: 'web-4', code: 'offline' }] },
    });
    const c = await origin.commit('c', { page: 'c' });
    expect(await publish(origin, c)).toMatchObject({ exitCode: 0 });
    const bad = await origin.commit('bad', { bad: '' });
    expect(await publish(origin, bad)).toMatchObject({ exitCode: 3 });
    await away.restart();
    await fleet.reported(
      'web-4',
      'the proven one',
      (report) => report.phase === 'active' && report.activeCommit === c,
      60_000,
    );
    expect(await activations(away)).not.toContain(bad);
    await reached('proven', (found) => found.deployment === 5 && found.state === 'proven');
    expect(await shows()).toEqual(all(c));
  });

  it('stays paused when everything is restarted in the middle of it, and goes on when a person says so', async () => {
    const origin = await begin(4, 'canary: 1\nmaxParallel: 1\npromote: manual\n');
    expect(await fleet.run('pause')).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('NOTHING_PUBLISHED'),
    });
    const a = await origin.commit('a', { page: 'a' });
    await publish(origin, a, '--detach');
    const waiting = await reached('the canary is well', (found) => found.reason.includes('gitfleet promote'));
    expect(waiting.members).toEqual(['web-1']);
    expect(await fleet.run('promote', '-m', 'looks good')).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining('is promoted'),
    });
    await reached('wave 1', (found) => found.wave >= 1);
    // At once: waves are short here.
    await steerRollout({ session: fleet.session, znodes: fleet.znodes, clock: systemClock }, 'pause', {
      by: 'ann',
      reason: 'lunch',
    });
    const again = await fleet.run('pause', '-m', 'tea');
    expect(again).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('d-1 is paused already, by ann') });
    const before = (await rollout()) as Rollout;

    for (const agent of fleet.agents) await agent.kill('SIGKILL');
    for (const server of servers.servers) await server.restart();
    for (const agent of fleet.agents) await agent.restart();
    await fleet.online(4);
    await reached('a new leader', (found) => found.leader?.czxid !== before.leader?.czxid);
    expect(await rollout()).toMatchObject({ state: 'paused', paused: { reason: 'lunch' }, wave: before.wave });
    expect((await shows()).filter((commit) => commit === a).length).toBeLessThan(4);
    expect(await fleet.run('resume')).toMatchObject({ exitCode: 0 });
    await reached('proven', (found) => found.state === 'proven');
    expect(await shows()).toEqual(all(a));
  });

  it('is led by agents alone whose settings hold the credential, and its rights are enough for the whole of it', async () => {
    fleet = await TestFleet.create(servers.connect(), '/closed/rollouts', { open: false });
    const file = (role: string) => join(fleet.directory, 'gitfleet-credentials', `${role}.auth`);
    const as = (role: string) => ['--auth-file', file(role)];
    const policy = join(fleet.directory, 'policy.yml');
    await writeFile(policy, 'canary: 1\nmaxParallel: 1\n');
    expect(await fleet.run('policy', 'set', policy, ...as('publisher'))).toMatchObject({ exitCode: 7 });
    expect(await fleet.run('policy', 'set', policy, ...as('operator'))).toMatchObject({ exitCode: 0 });
    for (const id of ['web-1', 'web-2', 'web-3']) {
      const coordinator = id === 'web-3' ? { authFile: file('coordinator') } : {};
      await fleet.startAgent(id, { args: as('agent'), settings: { ...SETTINGS, coordinator } });
    }
    const origin = await fleet.origin();
    const good = await origin.commit('good', { page: 'one' });
    await until('all are online', async () => {
      const { stdout } = await fleet.run('status', '--json', ...as('viewer'));
      return JSON.parse(stdout).agents.length === 3;
    });
    expect(await publish(origin, good, ...as('publisher'))).toMatchObject({ exitCode: 0 });
    expect(await publish(origin, await origin.commit('bad', { bad: '' }), ...as('publisher'))).toMatchObject({
      exitCode: 3,
    });
    expect(await fleet.run('attach', '--timeout', '60s', ...as('viewer'))).toMatchObject({ exitCode: 0 });
    expect(await shows()).toEqual(all(good));
    const { stdout } = await fleet.run('history', '-n', '1', ...as('viewer'));
    expect(stdout).toContain('coordinator web-3');
    expect(await fleet.run('pause', ...as('publisher'))).toMatchObject({ exitCode: 5 });
    await rm(join(origin.clone, 'bad'));
    await writeFile(policy, 'canary: 1\nmaxParallel: 1\npromote: manual\n');
    await fleet.run('policy', 'set', policy, ...as('operator'));
    const next = await origin.commit('next', { page: 'two' });
    await publish(origin, next, '--detach', ...as('publisher'));
    expect(await fleet.run('pause', ...as('publisher'))).toMatchObject({
      exitCode: 7,
      stderr: expect.stringContaining('NO_AUTH'),
    });
    expect(await fleet.run('pause', ...as('operator'))).toMatchObject({ exitCode: 0 });
    expect(await fleet.run('resume', ...as('operator'))).toMatchObject({ exitCode: 0 });
    expect(await fleet.run('promote', ...as('operator'))).toMatchObject({ exitCode: 0 });
    expect(await fleet.run('attach', '--timeout', '60s', ...as('publisher'))).toMatchObject({ exitCode: 0 });
    expect(await shows()).toEqual(all(next));
  });
});
