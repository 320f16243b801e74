import { describe, expect, it } from 'vitest';
import { systemClock as clock, systemRandom as random } from '../../runtime/clock.ts';
import { createLog } from '../../runtime/log.ts';
import { openServiceAccess } from '../../services/access.ts';
import { encodeTwin, parseRegistration, parseTwin, serviceZnodes } from '../../services/contract.ts';
import { keepRegistered, type Registration } from '../../services/registration.ts';
import type { RegistrationOptions } from '../../services/registration-options.ts';
import type { Handshake } from '../../zookeeper/open-session.ts';
import type { Session } from '../../zookeeper/session.ts';
import { fakeKit, realKit, type ZooKeeperKit } from '../support/zookeeper/kit.ts';

const wide = { timeout: 20_000 };
const SERVICE = 'shop/web';
const paths = serviceZnodes(SERVICE);
const never = new AbortController().signal;

function registrationSuite(kit: ZooKeeperKit): void {
  function keep(session: Session, agentId: string, more: Partial<RegistrationOptions> = {}): Registration {
    const options = {
      ...{ session, service: SERVICE, access: openServiceAccess, agentId, machineId: `m-${agentId}` },
      address: { host: '10.0.0.1', port: 8080 },
      facts: () => ({ commit: 'c0ffee', deployment: 7, labels: { role: 'web' } }),
      ...{ returnWithinMs: 50, clock, random, log: createLog({ level: 'silent' }) },
      ...more,
    };
    return keepRegistered(options);
  }
  const listed = async (session: Session) => (await session.children(paths.list)) ?? [];

  describe(`a registration (${kit.name})`, () => {
    it('is made only after the first healthy look, with exactly ["host","port"] and a twin', async () => {
      const session = kit.open(kit.connect());
      const web = keep(session, 'web-1');
      await session.catchUp('/');
      expect(await listed(session)).toEqual([]);
      web.say('well');
      await expect.poll(() => listed(session), wide).toHaveLength(1);
      const [name = ''] = await listed(session);
      expect(name).toMatch(/^web-1-[0-9a-f]{8}$/);
      const node = await session.get(paths.registration(name));
      expect(node?.data.toString()).toBe('["10.0.0.1","8080"]');
      expect(node?.stat.ephemeralOwner).toBe((await session.connected()).sessionId);
      const twin = parseTwin((await session.get(paths.twin(name)))?.data ?? Buffer.alloc(0));
      expect(twin).toMatchObject({ agentId: 'web-1', commit: 'c0ffee', deployment: 7, state: 'in', unwell: null });
      await web.stop();
    });

    it('comes back under another name after its session expired, and after somebody removed it', async () => {
      const session = kit.open(kit.connect());
      const web = keep(session, 'web-1');
      web.say('well');
      await expect.poll(() => listed(session), wide).toHaveLength(1);
      const [first = ''] = await listed(session);
      await kit.expire(session);
      await expect.poll(async () => (await listed(session)).filter((name) => name !== first), wide).toHaveLength(1);
      await expect.poll(() => listed(session), wide).not.toContain(first);
      const [second = ''] = await listed(session);
      await kit.open(kit.connect()).remove(paths.registration(second), -1);
      await expect.poll(async () => (await listed(session)).filter((name) => name !== second), wide).toHaveLength(1);
      await web.stop();
    });

    it('comes back after all of the services was wiped', async () => {
      const session = kit.open(kit.connect());
      const web = keep(session, 'web-1');
      web.say('well');
      await expect.poll(() => listed(session), wide).toHaveLength(1);
      await session.removeTree('/service');
      await session.removeTree('/service-fleet');
      await expect.poll(() => listed(session), wide).toHaveLength(1);
      await web.stop();
    });

    it('is the one of an earlier process, where that left its session: nothing is removed or made', async () => {
      const saved: Handshake[] = [];
      const first = kit.open(kit.connect(), { onSession: (each) => void saved.push(each) });
      const before = keep(first, 'web-1');
      before.say('well');
      await expect.poll(() => listed(first), wide).toHaveLength(1);
      const watcher = kit.open(kit.connect());
      const { pzxid } = (await watcher.exists(paths.list)) ?? { pzxid: 0n };
      const [name = ''] = await listed(watcher);
      await before.stop();
      first.detach();
      const second = kit.open(kit.connect(), { resume: saved[0] });
      const after = keep(second, 'web-1');
      await expect.poll(() => after.name, wide).toBe(name);
      after.say('well');
      await second.catchUp('/');
      await watcher.catchUp('/');
      expect((await watcher.exists(paths.list))?.pzxid).toBe(pzxid);
      await after.stop();
    });

    it('of a second machine with the same id is refused, and says who holds it, until that one is gone', async () => {
      const session = kit.open(kit.connect());
      const web = keep(session, 'web-1');
      web.say('well');
      await expect.poll(() => listed(session), wide).toHaveLength(1);
      const other = kit.open(kit.connect());
      const clone = keep(other, 'web-1', { machineId: 'another', address: { host: '10.0.0.2', port: 8080 } });
      clone.say('well');
      await expect.poll(() => clone.problem, wide).toContain('10.0.0.1:8080');
      expect(await listed(session)).toHaveLength(1);
      await web.stop();
      await session.close();
      await expect.poll(() => clone.name, wide).toMatch(/^web-1-/);
      expect(clone.problem).toBeNull();
      await clone.stop();
    });

    it('that is unwell goes where the floor allows it, and else stays, marked in its twin', async () => {
      const one = keep(kit.open(kit.connect()), 'web-1', { address: { host: '10.0.0.1', port: 80 } });
      const two = keep(kit.open(kit.connect()), 'web-2', { address: { host: '10.0.0.2', port: 80 } });
      const session = kit.open(kit.connect());
      one.say('well');
      two.say('well');
      await expect.poll(() => listed(session), wide).toHaveLength(2);
      const [kept] = (await listed(session)).filter((name) => name.startsWith('web-2-'));
      one.say({ unwell: 'its database is away' });
      await expect.poll(() => listed(session), wide).toEqual([kept]);
      two.say({ unwell: 'its database is away' });
      const twin = async () => parseTwin((await session.get(paths.twin(kept ?? '')))?.data ?? Buffer.alloc(0));
      await expect.poll(async () => (await twin())?.unwell, wide).toBe('its database is away');
      expect(await listed(session)).toEqual([kept]);
      await Promise.all([one.stop(), two.stop()]);
    });

    it('that left stays out until it joins, and keeps its twin meanwhile', async () => {
      const session = kit.open(kit.connect());
      const web = keep(session, 'web-1');
      web.say('well');
      await expect.poll(() => listed(session), wide).toHaveLength(1);
      const [name = ''] = await listed(session);
      const left = await web.leave(never);
      expect(left).toMatchObject({ kind: 'left', alone: true });
      expect(left.kind === 'left' && left.zxid).toBe((await session.exists(paths.list))?.pzxid);
      web.say('well');
      await session.catchUp('/');
      expect(await listed(session)).toEqual([]);
      expect(parseTwin((await session.get(paths.twin(name)))?.data ?? Buffer.alloc(0))?.state).toBe('out');
      web.join();
      await expect.poll(() => listed(session), wide).toHaveLength(1);
      expect(await session.children(paths.instances)).toEqual(await listed(session));
      await web.stop();
    });

    it('leaves with nobody below the floor, however many leave at once', async () => {
      const parts = Array.from({ length: 8 }, (_, at) => {
        const session = kit.open(kit.connect());
        return { session, web: keep(session, `web-${at}`, { address: { host: `10.0.1.${at}`, port: 80 } }) };
      });
      const watcher = kit.open(kit.connect());
      for (const { web } of parts) web.say('well');
      await expect.poll(() => listed(watcher), wide).toHaveLength(8);
      const claims = await Promise.all(parts.map(({ web }) => web.leave(never)));
      expect(claims.filter(({ kind }) => kind === 'left')).toHaveLength(4);
      expect(claims.find(({ kind }) => kind === 'wait')).toMatchObject({
        words: '3 would remain of 8 known instances, and the floor is 4',
      });
      expect(await listed(watcher)).toHaveLength(4);
      await Promise.all(parts.map(({ web }) => web.stop()));
    });
  });
}

registrationSuite(realKit());
registrationSuite(fakeKit());

describe('what foreign programs write', () => {
  it.each([
    ['["10.0.0.1","8080"]', { host: '10.0.0.1', port: 8080 }],
    ['["web.example.com", 8080]', { host: 'web.example.com', port: 8080 }],
    ['["::1","80"]', { host: '::1', port: 80 }],
    ['["a","80",{"weight":1}]', { host: 'a', port: 80 }],
    ['["a"]', null],
    ['["a","0"]', null],
    ['["a","65536"]', null],
    ['["a b","80"]', null],
    ['["a;\\nserver evil","80"]', null],
    ['["-rf","80"]', null],
    ['{"host":"a","port":"80"}', null],
    ['not json', null],
    ['', null],
  ])('%s', (text, address) => {
    expect(parseRegistration(Buffer.from(text))).toEqual(address);
  });

  it('is no twin where it is none of ours', () => {
    const twin = { agentId: 'a', machineId: '', host: 'h', port: 1, commit: null, deployment: null, labels: {} };
    expect(parseTwin(encodeTwin({ ...twin, state: 'in', unwell: null }))).toMatchObject(twin);
    expect(parseTwin(Buffer.from('{}'))).toBeNull();
  });
});
