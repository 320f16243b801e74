import { expect, it } from 'vitest';
import { systemClock as clock, systemRandom as random } from '../../../runtime/clock.ts';
import { digestId, OPEN } from '../../../zookeeper/acl.ts';
import { joinMembership } from '../../../zookeeper/recipes/membership.ts';
import { realServers } from '../../support/zookeeper/server.ts';
import { sessionsForTest } from '../../support/zookeeper/session.ts';

const real = realServers(1);
const open = sessionsForTest();
const wide = { timeout: 20_000 };
const OWNER = 'owner:secret';
const closed = [
  { scheme: 'digest', id: digestId('owner', 'secret'), permissions: 'cdrwa' },
  { scheme: 'world', id: 'anyone', permissions: 'r' },
];

function join(session: ReturnType<typeof open>, path: string, instanceId: string) {
  const data = () => Buffer.from(JSON.stringify({ instanceId, machineId: 'm1' }));
  const log = session.told.log;
  return joinMembership(session, { path, instanceId, machineId: 'm1', data, clock, random, log });
}

it('a presence that may not be made is said: in the log once, to listeners, and until it is held', async () => {
  const owner = open(real.connect(), { auth: [{ scheme: 'digest', credential: OWNER }] });
  await owner.create('/shut', Buffer.alloc(0), 'persistent', { acl: closed });
  const session = open(real.connect());
  const member = join(session, '/shut/web-1', 'i1');
  const told: (string | undefined)[] = [];
  member.onChange(() => told.push(member.problem?.code ?? member.state));
  await expect.poll(() => member.problem?.code, wide).toBe('NO_AUTH');
  await clock.sleep(3_000);
  const warned = session.told.lines.filter(({ level }) => level === 'warn');
  expect(warned).toMatchObject([{ path: '/shut/web-1', err: { code: 'NO_AUTH' } }]);
  expect(warned[0]?.['hint']).toBeTruthy();
  await owner.setAcl('/shut', OPEN, 0);
  await expect.poll(() => member.held(), wide).toBe(true);
  expect([member.problem, told]).toEqual([null, ['NO_AUTH', 'held']]);
  await member.leave();
});

it('the node of an earlier process that may not be deleted is waited for, and is no problem', async () => {
  const owner = open(real.connect(), { auth: [{ scheme: 'digest', credential: OWNER }] });
  const mayCreate = [closed[0], { scheme: 'world', id: 'anyone', permissions: 'cr' }] as typeof closed;
  await owner.create('/agents', Buffer.alloc(0), 'persistent', { acl: mayCreate });
  const earlier = open(real.connect());
  const left = Buffer.from(JSON.stringify({ instanceId: 'i1', machineId: 'm1' }));
  await earlier.create('/agents/web-1', left, 'ephemeral');
  const session = open(real.connect());
  const member = join(session, '/agents/web-1', 'i2');
  await expect.poll(() => member.holder?.instanceId, wide).toBe('i1');
  expect([member.state, member.problem]).toEqual(['joining', null]);
  await earlier.close();
  await expect.poll(() => member.held(), { timeout: 2_000 }).toBe(true);
  await member.leave();
});

it('a persistent node under the name contests it, and refuses nothing', async () => {
  const owner = open(real.connect(), { auth: [{ scheme: 'digest', credential: OWNER }] });
  const mayCreate = [closed[0], { scheme: 'world', id: 'anyone', permissions: 'cr' }] as typeof closed;
  await owner.create('/kept', Buffer.alloc(0), 'persistent', { acl: mayCreate });
  const own = Buffer.from(JSON.stringify({ instanceId: 'i1', machineId: 'm1' }));
  await owner.create('/kept/web-1', own, 'persistent');
  const member = join(open(real.connect()), '/kept/web-1', 'i2');
  await expect.poll(() => member.state, wide).toBe('contested');
  expect(member.held()).toBe(false);
  await member.leave();
});
