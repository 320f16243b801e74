import { describe, expect, it } from 'vitest';
import { systemClock as clock, systemRandom as random } from '../../../runtime/clock.ts';
import { joinMembership } from '../../../zookeeper/recipes/membership.ts';
import type { ZooKeeperKit } from '../../support/zookeeper/kit.ts';

export function membershipSuite(kit: ZooKeeperKit): void {
  const wide = { timeout: 20_000 };

  function join(
    session: ReturnType<ZooKeeperKit['open']>,
    instanceId: string,
    machineId: string,
    path = '/online/web-1',
  ) {
    const data = () => Buffer.from(JSON.stringify({ instanceId, machineId, host: 'web-1' }));
    return joinMembership(session, { path, instanceId, machineId, data, clock, random, log: session.told.log });
  }

  async function opened() {
    const session = kit.open(kit.connect());
    await session.ensure('/online');
    return session;
  }

  describe('membership', () => {
    it('makes the node, says so, and takes it away', async () => {
      const session = await opened();
      const member = join(session, 'i1', 'm1', '/online/plain');
      await expect.poll(() => member.held(), wide).toBe(true);
      const stat = await session.exists('/online/plain');
      expect(stat?.czxid).toBe(member.fence);
      await member.leave();
      expect(await session.exists('/online/plain')).toBeNull();
      expect([member.state, member.held(), member.fence]).toEqual(['left', false, undefined]);
    });

    it('comes back after its session expired, with a higher fence', async () => {
      const session = await opened();
      const member = join(session, 'i1', 'm1', '/online/expired');
      await expect.poll(() => member.held(), wide).toBe(true);
      const before = member.fence as bigint;
      const states: string[] = [];
      member.onChange(() => states.push(member.state));
      await kit.expire(session);
      await expect.poll(() => session.vitals().generation, wide).toBe(2);
      await expect.poll(() => member.held(), wide).toBe(true);
      expect(member.fence).toBeGreaterThan(before);
      expect(states).toEqual(['joining', 'held']);
      await member.leave();
    });

    it('comes back after somebody removed it', async () => {
      const session = await opened();
      const member = join(session, 'i1', 'm1', '/online/removed');
      await expect.poll(() => member.held(), wide).toBe(true);
      const before = member.fence as bigint;
      await (await opened()).remove('/online/removed', 0);
      await expect.poll(() => (member.fence ?? 0n) > before, wide).toBe(true);
      await member.leave();
    });

    it('takes over the node of a dead process of the same machine', async () => {
      const dead = await opened();
      const left = Buffer.from(JSON.stringify({ instanceId: 'i1', machineId: 'm1' }));
      await dead.create('/online/same', left, 'ephemeral');
      const other = await opened();
      const member = join(other, 'i2', 'm1', '/online/same');
      await expect.poll(() => member.held(), wide).toBe(true);
      const found = await other.get('/online/same');
      expect(JSON.parse(String(found?.data)).instanceId).toBe('i2');
      await member.leave();
    });

    it('lets the later of two live processes of one machine have it, without a fight', async () => {
      const older = await opened();
      const first = join(older, 'i1', 'm1', '/online/twice');
      await expect.poll(() => first.held(), wide).toBe(true);
      const second = join(await opened(), 'i2', 'm1', '/online/twice');
      await expect.poll(() => second.held(), wide).toBe(true);
      const { fence } = second;
      await expect.poll(() => first.state, wide).toBe('refused');
      expect(first.holder?.instanceId).toBe('i2');
      await older.catchUp('/');
      expect([second.held(), second.fence]).toEqual([true, fence]);
      await Promise.all([first.leave(), second.leave()]);
    });

    it('is contested, not refused, by a node that no session holds or that is false, and joins when it goes', async () => {
      const session = await opened();
      const other = await opened();
      const path = '/online/contested';
      const copied = Buffer.from(JSON.stringify({ instanceId: 'i1', machineId: 'm1', copied: true }));
      let judged = false;
      const member = joinMembership(session, {
        ...{ path, instanceId: 'i1', machineId: 'm1', clock, random, log: session.told.log },
        data: (sessionId) => Buffer.from(JSON.stringify({ instanceId: 'i1', machineId: 'm1', of: String(sessionId) })),
        isFalse: ({ data }) => judged && String(data).includes('copied'),
      });
      await expect.poll(() => member.held(), wide).toBe(true);
      const { sessionId } = await session.connected();
      expect(String((await other.get(path))?.data)).toContain(`"of":"${sessionId}"`);
      judged = true;
      const taken = { op: 'create', path, data: copied, mode: 'ephemeral' } as const;
      await other.transact([{ op: 'remove', path, version: -1 }, taken]);
      await expect.poll(() => member.state, wide).toBe('contested');
      expect([member.held(), member.holder?.instanceId]).toEqual([false, 'i1']);
      await other.remove(path, -1);
      await expect.poll(() => member.held(), wide).toBe(true);
      judged = false;
      const left = Buffer.from(JSON.stringify({ instanceId: 'i9', machineId: 'm9' }));
      await other.transact([
        { op: 'remove', path, version: -1 },
        { op: 'create', path, data: left, mode: 'persistent' },
      ]);
      await expect.poll(() => member.state, wide).toBe('contested');
      await other.remove(path, -1);
      await expect.poll(() => member.held(), wide).toBe(true);
      await member.leave();
    });

    it('refuses a clone of another machine, names the holder, and joins when that one leaves', async () => {
      const session = await opened();
      const other = await opened();
      const holder = join(session, 'i1', 'm1', '/online/clone');
      await expect.poll(() => holder.held(), wide).toBe(true);
      const clone = join(other, 'i2', 'm2', '/online/clone');
      await expect.poll(() => clone.state, wide).toBe('refused');
      expect(clone.held()).toBe(false);
      expect(clone.holder).toMatchObject({ instanceId: 'i1', machineId: 'm1' });
      expect(holder.held()).toBe(true);
      await holder.leave();
      await expect.poll(() => clone.held(), wide).toBe(true);
      await clone.leave();
    });

    it('waits for a parent that is not there yet', async () => {
      const session = await opened();
      const member = join(session, 'i1', 'm1', '/later/web-1');
      await expect.poll(() => member.problem?.code, wide).toBe('NO_NODE');
      await session.ensure('/later');
      await expect.poll(() => member.held(), wide).toBe(true);
      await member.leave();
    });
  });
}
