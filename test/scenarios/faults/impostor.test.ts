import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { parseCredentials } from '../../../fleet/enrolment/credentials.ts';
import { reportSubject } from '../../../fleet/enrolment/trust.ts';
import { type Report, report } from '../../../schemas/report.ts';
import { targetVersionOf } from '../../../schemas/target.ts';
import { signingKey } from '../../../schemas/text/signed-json.ts';
import { OPEN } from '../../../zookeeper/acl.ts';
import { ANY_VERSION, type Session } from '../../../zookeeper/session.ts';
import type { Ran } from '../../support/commands.ts';
import { shownCommit, type TestAgent, TestFleet } from '../../support/fleet.ts';
import { startGitDaemon } from '../../support/git/daemon.ts';
import { SOAK } from '../../support/seeded.ts';
import { until } from '../../support/until.ts';
import { realServers } from '../../support/zookeeper/server.ts';
import { sessionsForTest } from '../../support/zookeeper/session.ts';

/*
 * A client that holds agent.auth, which lies on every server, and nothing else, against a fleet whose enrolment is
 * closed: it is nobody, shuts nobody out, and holds no deployment for more than a minute.
 */
const servers = realServers(1);
const openSession = sessionsForTest();
let fleet: TestFleet;
let apps = 0;
let daemon: Awaited<ReturnType<typeof startGitDaemon>> | null = null;
afterEach(async () => {
  await fleet.stop();
  await daemon?.stop();
  daemon = null;
});

const A_MINUTE = 60_000;
/** More than the 10,000 agents that a look at a fleet reads; in the soak as many as a minute makes. */
const [FALSE_NAMES, MAKING_MS] = SOAK ? [60_000, 20_000] : [12_000, 10_000];
/** Several tries are always on their way: together they are faster than any agent that waits for its watch. */
const TRIES_AT_ONCE = SOAK ? 8 : 4;
const file = (role: string) => join(fleet.directory, 'gitfleet-credentials', `${role}.auth`);

async function as(role: string): Promise<Session> {
  const parsed = parseCredentials(await readFile(file(role), 'utf8'));
  if (!('auth' in parsed)) throw new Error(`line ${parsed.badLine}`);
  return openSession(fleet.zookeeper, { auth: parsed.auth });
}

const asOperator = (...args: string[]): Promise<Ran> => fleet.run(...args, '--auth-file', file('operator'));

/** Three agents, entered by the operator. @param leads web-1 stands for election. */
async function closedFleet(leads: boolean, args: string[] = []): Promise<TestAgent[]> {
  fleet = await TestFleet.create(servers.connect(), `/app${apps++}/business`, { open: false });
  const shared = { zookeeper: { sessionTimeout: '4s' as const } };
  const leader = { ...shared, coordinator: { authFile: file('coordinator') } };
  const more = ['--auth-file', file('agent'), ...args];
  const first = await fleet.startAgent('web-1', { args: more, settings: leads ? leader : shared });
  const others = ['web-2', 'web-3'].map((id) => fleet.startAgent(id, { args: more, settings: shared }));
  const agents = [first, ...(await Promise.all(others))];
  const operator = await as('operator');
  await until('three are online', async () => (await operator.children(fleet.znodes.online))?.length === 3);
  const entered = await asOperator('enrol', '--online', '--close');
  expect(entered).toMatchObject({ exitCode: 0, stderr: '' });
  expect(entered.stdout).toMatch(/entered 3 agents.*\n {2}web-1 {2}\S{16}\n {2}web-2 {2}\S{16}\n {2}web-3 {2}\S{16}\n/);
  expect(entered.stdout).toContain('enrolment is closed');
  await until('they know', async () => {
    const logs = await Promise.all(agents.map((agent) => agent.log()));
    return logs.every((log) => log.includes('enrolled: the fleet counts this agent'));
  });
  return agents;
}

async function published(url: string, commitId: string, ...more: string[]): Promise<Ran> {
  const began = performance.now();
  const ran = await fleet.publish({ url, commitId }, '--auth-file', file('publisher'), ...more);
  expect(performance.now() - began, ran.stdout + ran.stderr).toBeLessThan(A_MINUTE);
  return ran;
}

/** Says of itself what the fleet waits for, at each target, under a name that it may create. */
function lie(attacker: Session, agentId: string): () => Promise<void> {
  const key = signingKey(Buffer.alloc(32, 1));
  const end = new AbortController();
  const lying = (async () => {
    for await (const seen of attacker.watch(fleet.znodes.config, { signal: end.signal })) {
      if (!seen.exists || seen.data.length === 0) continue;
      const { commitId } = JSON.parse(seen.data.toString());
      const targetVersion = targetVersionOf(seen.stat);
      const said: Report = report().parse({
        ...{ agentId, targetVersion, phase: 'active', activeCommit: commitId, desiredCommit: commitId },
        ...{ phaseAt: Date.now(), at: Date.now() },
      });
      const data = key.sign(reportSubject(agentId), Buffer.from(JSON.stringify(said)));
      await attacker
        .set(fleet.znodes.report(agentId), data, ANY_VERSION)
        .catch(() => attacker.create(fleet.znodes.report(agentId), data, 'persistent', { acl: OPEN }))
        .catch(() => {});
    }
  })().catch(() => {});
  return async () => {
    end.abort();
    await lying;
  };
}

const presenceOf = async (session: Session, id: string): Promise<Buffer> => {
  const node = await session.get(fleet.znodes.presence(id));
  if (!node) throw new Error(`${id} is not online`);
  return node.data;
};

it('an invented agent is no canary and in no verdict, and no other agent is shut out in waves', async () => {
  const agents = await closedFleet(true);
  const origin = await fleet.origin();
  const a = await origin.commit('a', { f: 'a' });
  expect(await published(origin.url, a)).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('3/3') });
  const policy = join(fleet.directory, 'policy.yml');
  await writeFile(policy, 'canary: 1\nsoak: 1s\ndeadline: 40s\n');
  expect(await asOperator('policy', 'set', policy)).toMatchObject({ exitCode: 0, stderr: '' });

  const attacker = await as('agent');
  const card = await presenceOf(attacker, 'web-2');
  await attacker.create(fleet.znodes.presence('a-first'), card, 'ephemeral', { acl: OPEN });
  const ends = [lie(attacker, 'a-first'), lie(attacker, 'web-3')];

  const b = await origin.commit('b', { f: 'b' });
  const said = await published(origin.url, b);
  expect(said).toMatchObject({ exitCode: 0 });
  expect(said.stdout).toMatch(/canary[^\n]*web-1/);
  expect(said.stdout).toContain('3/3');
  expect(said.stdout + said.stderr).not.toContain('a-first');
  for (const agent of agents) expect(await shownCommit(agent.root, 'shop')).toBe(b);

  // The name of a real one, in the moment in which it restarts: by a node of a session, then by one of none.
  for (const mode of ['ephemeral', 'persistent'] as const) {
    const web2 = agents[1] as TestAgent;
    const mine = await presenceOf(attacker, 'web-2');
    const restarted = web2.restart();
    await until('its name is taken', async () => {
      await attacker.create(fleet.znodes.presence('web-2'), mine, mode, { acl: OPEN });
      return true;
    });
    await restarted;
    const next = await origin.commit(mode, { f: mode });
    const ran = await published(origin.url, next);
    expect(ran, ran.stdout).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('3/3') });
    expect(await shownCommit(web2.root, 'shop')).toBe(next);
    await until('it has its name again', async () => {
      const view = JSON.parse((await asOperator('status', 'web-2', '--json')).stdout);
      return view.presence !== null && view.falsePresence === undefined;
    });
  }
  const status = await asOperator('status');
  expect(status.stdout).toContain('1 name not enrolled: a-first');
  const doctor = await asOperator('doctor');
  expect(doctor.stdout + doctor.stderr).toContain('not enrolled: a-first');
  expect((await asOperator('forget', 'a-first')).exitCode).toBe(0);
  expect((await asOperator('status')).stdout).not.toContain('a-first');
  for (const end of ends) await end();
}, 240_000);

it('an agent whose name is taken again at each removal is online under a second one, and has its turn in waves', async () => {
  const agents = await closedFleet(true);
  const origin = await fleet.origin();
  const a = await origin.commit('a', { f: 'a' });
  expect(await published(origin.url, a)).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('3/3') });
  const policy = join(fleet.directory, 'policy.yml');
  await writeFile(policy, 'canary: 1\nsoak: 1s\ndeadline: 40s\n');
  expect(await asOperator('policy', 'set', policy)).toMatchObject({ exitCode: 0, stderr: '' });
  const attacker = await as('agent');
  const mine = await presenceOf(attacker, 'web-2');
  const end = new AbortController();
  let taken = 0;
  const taking = Array.from({ length: TRIES_AT_ONCE }, async () => {
    while (!end.signal.aborted)
      await attacker
        .create(fleet.znodes.presence('web-2'), mine, 'ephemeral', { acl: OPEN })
        .then(() => {
          taken += 1;
        })
        .catch(() => new Promise((resolve) => setTimeout(resolve, 2)));
  });
  const web2 = agents[1] as TestAgent;
  await web2.restart();
  const look = async () => JSON.parse((await asOperator('status', 'web-2', '--json')).stdout);
  const b = await origin.commit('b', { f: 'b' });
  const ran = await published(origin.url, b);
  expect(ran, ran.stdout).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('3/3') });
  for (const agent of agents) expect(await shownCommit(agent.root, 'shop')).toBe(b);
  if ((await web2.log()).includes('"IMPOSTOR"')) {
    const seen = await until('it is seen online', async () => {
      const view = await look();
      return view.presence !== null && view;
    });
    expect(seen).toMatchObject({ report: { phase: 'active', activeCommit: b } });
  }
  expect(taken).toBeGreaterThan(0);
  end.abort();
  await Promise.all(taking);
}, 180_000);

it('without a coordinator a shut-out agent deploys, is in the verdict, says so, and forget gives it its name', async () => {
  const agents = await closedFleet(false);
  const [, web2] = agents as [TestAgent, TestAgent];
  const origin = await fleet.origin();
  const attacker = await as('agent');
  // As from another machine, which would be a clone: an agent that is not enrolled makes way for that.
  const card = { ...JSON.parse(String(await presenceOf(attacker, 'web-2'))), machineId: 'other', instanceId: 'other' };
  const restarted = web2.restart();
  await until('its name is taken', async () => {
    const data = Buffer.from(JSON.stringify(card));
    await attacker.create(fleet.znodes.presence('web-2'), data, 'persistent', { acl: OPEN });
    return true;
  });
  await restarted;
  const a = await origin.commit('a', { f: 'a' });
  await until('web-2 sees it', async () => (await web2.log()).includes('"IMPOSTOR"'));
  const ran = await published(origin.url, a);
  expect(ran).toMatchObject({ exitCode: 0 });
  expect(await shownCommit(web2.root, 'shop')).toBe(a);
  const look = async () => JSON.parse((await asOperator('status', 'web-2', '--json')).stdout);
  const online = { host: expect.any(String) };
  expect(await look()).toMatchObject({ presence: online, falsePresence: true, report: { phase: 'active' } });
  expect((await asOperator('doctor')).stdout).toContain('gitfleet forget web-2');
  expect((await fleet.onServer(web2, 'status')).stdout).toContain('IMPOSTOR');
  expect((await asOperator('forget', 'web-2')).exitCode).toBe(0);
  await until('it has its name', async () => (await look()).falsePresence === undefined);
}, 120_000);

it('16 leases held and thousands of false names hold no deployment for a minute', async () => {
  const agents = await closedFleet(true, ['--allow-url', 'git://127.0.0.1']);
  daemon = await startGitDaemon(fleet.directory);
  const origin = await fleet.origin();
  const url = daemon.url('shop.git');
  const attacker = await as('agent');
  for (let at = 0; at < 16; at++)
    await attacker.create(`${fleet.znodes.fetch}/lease-`, Buffer.alloc(0), 'ephemeral-sequential', { acl: OPEN });
  let made = 0;
  const until = performance.now() + MAKING_MS;
  for (; made < FALSE_NAMES && performance.now() < until; made += 500) {
    const names = Array.from({ length: 500 }, (_, at) => fleet.znodes.presence(`a-${made + at}`));
    await Promise.all(names.map((path) => attacker.create(path, Buffer.from('{}'), 'persistent', { acl: OPEN })));
  }
  const a = await origin.commit('a', { f: 'a' });
  const ran = await published(url, a, '--no-check');
  expect(ran, `${made} names`).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('3/3') });
  for (const agent of agents) expect(await shownCommit(agent.root, 'shop')).toBe(a);
  expect((await asOperator('status')).stdout).toContain(`${made} names not enrolled`);
}, 240_000);
