import { expect, it } from 'vitest';
import { ROLES, type RoleIds, roleAccess } from '../../fleet/access.ts';
import { initApp } from '../../fleet/app.ts';
import { enrolAgents, setEnrolmentOpen } from '../../fleet/enrolment/enrol.ts';
import { readOnline } from '../../fleet/enrolment/online.ts';
import { readAgent, readFleet } from '../../fleet/fleet-view.ts';
import { forgetAgent } from '../../fleet/forget.ts';
import { knowAgents } from '../../rollout/agents.ts';
import { clearNames } from '../../rollout/clear-names.ts';
import { systemClock as clock, systemRandom as random } from '../../runtime/clock.ts';
import { signingKey } from '../../schemas/text/signed-json.ts';
import { znodes } from '../../schemas/znodes.ts';
import { digestId } from '../../zookeeper/acl.ts';
import { joinMembership } from '../../zookeeper/recipes/membership.ts';
import { silentLog } from '../support/log.ts';
import { until } from '../support/until.ts';
import { sessionsForTest } from '../support/zookeeper/session.ts';
import { sharedServer } from '../support/zookeeper/shared.ts';

/** A client that holds agent.auth may make nodes below online and agents which nobody else may read. */
const servers = sharedServer();
const open = sessionsForTest();
const WORD = { by: 'ann', reason: '' };
const IDS = Object.fromEntries(ROLES.map((role) => [role, digestId(role, 'secret')])) as RoleIds;
const SHUT = [{ scheme: 'digest', id: digestId('thief', 'secret'), permissions: 'cdrwa' }] as const;
const as = (...users: string[]) =>
  open(servers.connect(), { auth: users.map((user) => ({ scheme: 'digest', credential: `${user}:secret` })) });
const newcomer = (agentId: string) => ({
  agentId,
  identity: { key: signingKey(Buffer.alloc(32, agentId.length)).publicKey, digest: 'A'.repeat(27) },
});

async function app(name: string) {
  const access = roleAccess(IDS);
  const paths = znodes(`/app/${name}`);
  const operator = as('operator');
  await initApp(operator, paths, access);
  const parts = { session: operator, znodes: paths, access, now: () => 1, newNonce: () => 'n' };
  return { paths, operator, parts, thief: as('agent', 'thief') };
}

it('neither a publisher nor a leader stops at them, open or closed, and forget removes them', async () => {
  const { paths, operator, parts, thief } = await app('shut');
  await enrolAgents(parts, [newcomer('web-1')], WORD, true);
  for (const isOpen of [true, false]) {
    await setEnrolmentOpen(parts, isOpen, WORD);
    for (const name of ['web-1', 'web-9']) {
      await thief.create(paths.presence(name), Buffer.from('{}'), 'ephemeral', { acl: SHUT });
    }
    await thief.create(paths.report('web-9'), Buffer.from('{}'), 'persistent', { acl: SHUT });
    const ids = (await readFleet(operator, paths)).map(({ agentId, presence }) => [agentId, presence]);
    expect(ids).toEqual(
      isOpen
        ? [
            ['web-1', null],
            ['web-9', null],
          ]
        : [['web-1', null]],
    );
    expect((await readAgent(operator, paths, 'web-1'))?.presence).toBeNull();
    expect((await readOnline(operator, paths)).newcomers).toEqual([]);
    const seen = await knowAgents(as('coordinator'), paths, () => 1, 1_000).read(null);
    expect(seen.filter(({ report }) => report !== null)).toEqual([]);
    if (!isOpen) {
      expect(await forgetAgent(parts, 'web-1', WORD)).toBe('name');
      expect(await forgetAgent(parts, 'web-9', WORD)).toBe('report');
    }
    for (const path of [paths.presence('web-1'), paths.presence('web-9'), paths.report('web-9')]) {
      if (await operator.exists(path)) await operator.remove(path, -1);
    }
  }
});

it('a report node that another client made and shut is replaced at the enrolment; one with nodes below it blocks itself', async () => {
  const { paths, operator, parts, thief } = await app('shut-reports');
  for (const name of ['web-8', 'web-9']) {
    await thief.create(paths.report(name), Buffer.from('{}'), 'persistent', { acl: SHUT });
  }
  await thief.create(`${paths.report('web-9')}/below`, Buffer.alloc(0), 'persistent', { acl: SHUT });
  const done = await enrolAgents(parts, ['web-1', 'web-8', 'web-9'].map(newcomer), WORD, true);
  expect(done).toMatchObject({
    entered: [{ agentId: 'web-1' }, { agentId: 'web-8' }],
    blocked: [{ agentId: 'web-9' }],
  });
  expect((await operator.get(paths.report('web-8')))?.data.length).toBe(0);
  expect((await operator.children(paths.enrolment))?.sort()).toEqual(['web-1', 'web-8']);
});

it('the leader frees the name of an enrolled agent, whose process is contested until then', async () => {
  const { paths, operator, parts, thief } = await app('shut-name');
  await enrolAgents(parts, [newcomer('web-1')], WORD, true);
  await setEnrolmentOpen(parts, false, WORD);
  await thief.create(paths.presence('web-1'), Buffer.from('{}'), 'ephemeral', { acl: SHUT });
  const agent = as('agent', 'agent-web-1');
  const path = paths.presence('web-1');
  const data = () => Buffer.from('{"instanceId":"i","machineId":"m"}');
  const acl = parts.access.of('presence', digestId('agent-web-1', 'secret'));
  const process = { path, instanceId: 'i', machineId: 'm', data, acl, isFalse: () => true };
  const membership = joinMembership(agent, { ...process, clock, random, log: silentLog });
  await until('it is contested', async () => membership.state === 'contested');
  const end = new AbortController();
  const guard = { op: 'check', path: paths.election, version: -1 } as const;
  const term = { guard, fence: 1n, signal: end.signal };
  const session = as('coordinator');
  const leading = { session, znodes: paths, clock, random, log: silentLog };
  const clearing = clearNames(leading, { term, agentId: 'x' });
  await until('the node of the other client is gone', async () => {
    const stat = await operator.exists(path);
    return stat === null || stat.ephemeralOwner !== (await thief.connected()).sessionId;
  });
  end.abort();
  await clearing;
  await until('it has its name', async () => membership.held());
  await membership.leave();
});
