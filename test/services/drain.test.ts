import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock as clock, systemRandom as random } from '../../runtime/clock.ts';
import { createLog } from '../../runtime/log.ts';
import { openServiceAccess } from '../../services/access.ts';
import { readCache } from '../../services/cache.ts';
import { addressText, encodeRegistration, serviceZnodes } from '../../services/contract.ts';
import { awaitConsumers, createConsumerMemory } from '../../services/drain.ts';
import { makeService } from '../../services/make-service.ts';
import { type Apply, keepApplied } from '../../services/write/keep-applied.ts';
import type { Session } from '../../zookeeper/session.ts';
import { fakeKit, realKit, type ZooKeeperKit } from '../support/zookeeper/kit.ts';

const SERVICE = 'shop/web';
const paths = serviceZnodes(SERVICE);
const wide = { timeout: 20_000 };
const never = new AbortController().signal;
const log = createLog({ level: 'silent' });
const stops: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

function drainSuite(kit: ZooKeeperKit): void {
  function consume(session: Session, id: string, apply: Apply, cacheDirectory: string | null = null) {
    const stop = new AbortController();
    const parts = { session, service: SERVICE, access: openServiceAccess, id, what: id, apply, cacheDirectory };
    const ended = keepApplied({ ...parts, clock, random, log }, stop.signal);
    stops.push(async () => {
      stop.abort();
      await ended;
    });
  }
  async function withInstances(count: number): Promise<Session> {
    const session = kit.open(kit.connect());
    await makeService(session, SERVICE, openServiceAccess);
    for (let at = 1; at <= count; at++) await add(session, `i${at}`, 80 + at);
    return session;
  }
  const add = (session: Session, name: string, port: number) =>
    session.create(paths.registration(name), encodeRegistration({ host: '10.0.0.1', port }), 'ephemeral');
  const drain = (session: Session, zxid: bigint, atMost = 10_000, memory = createConsumerMemory()) =>
    awaitConsumers({ session, service: SERVICE, memory, clock }, zxid, { atLeast: 0, atMost }, never);
  async function removed(session: Session, name: string): Promise<bigint> {
    await session.remove(paths.registration(name), -1);
    return (await session.exists(paths.list))?.pzxid ?? 0n;
  }
  const addresses = (list: Parameters<Apply>[0]) => list.instances.map(addressText).toSorted();

  describe(`a drain (${kit.name})`, () => {
    it('ends once every consumer has applied the list without the one that left, and not before', async () => {
      const session = await withInstances(2);
      const applied: string[][] = [];
      let release = () => {};
      const held = new Promise<void>((resolve) => {
        release = resolve;
      });
      consume(kit.open(kit.connect()), 'slow', async (list) => {
        if (list.instances.length === 1) await held;
        applied.push(addresses(list));
        return true;
      });
      consume(kit.open(kit.connect()), 'quick', async () => true);
      await expect.poll(() => applied, wide).toHaveLength(1);
      await expect
        .poll(async () => (await session.get(paths.consumer('slow')))?.data.toString(), wide)
        .not.toContain('"0"');
      const draining = drain(session, await removed(session, 'i1'));
      await clock.sleep(300);
      expect(applied).toEqual([['10.0.0.1:81', '10.0.0.1:82']]);
      release();
      expect(await draining).toMatchObject({ unacknowledged: [], acknowledged: 2 });
      expect(applied.at(-1)).toEqual(['10.0.0.1:82']);
    });

    it('is acknowledged also by one that never knew the instance, which came and went between its lists', async () => {
      const session = await withInstances(2);
      let release = () => {};
      const held = new Promise<void>((resolve) => {
        release = resolve;
      });
      let began = false;
      consume(kit.open(kit.connect()), 'file', async () => {
        began = true;
        await held;
        return true;
      });
      await expect.poll(() => began, wide).toBe(true);
      await add(session, 'i3', 83);
      const zxid = await removed(session, 'i3');
      const draining = drain(session, zxid, 5_000);
      await clock.sleep(200);
      release();
      const drained = await draining;
      expect(drained).toMatchObject({ unacknowledged: [], acknowledged: 1 });
      expect(drained.ms).toBeLessThan(1_500);
    });

    it('goes on at its bound and names who did not acknowledge; the third time it does not wait for that one', async () => {
      const session = await withInstances(4);
      consume(kit.open(kit.connect()), 'file', async () => false);
      await expect.poll(() => session.exists(paths.consumer('file')), wide).not.toBeNull();
      const memory = createConsumerMemory();
      const drains = [];
      for (const name of ['i1', 'i2', 'i3'])
        drains.push(await drain(session, await removed(session, name), 200, memory));
      const file = [{ id: 'file', what: 'file' }];
      expect(drains.map(({ unacknowledged }) => unacknowledged)).toEqual([file, file, []]);
      expect(drains[2]?.ms).toBeLessThan(150);
    });

    it('names one that missed two drains, and waits for it again once it has acknowledged what it missed', async () => {
      const session = await withInstances(20);
      let hangs = true;
      let wake = () => {};
      consume(kit.open(kit.connect()), 'late', async (list) => {
        if (hangs && list.instances.length < 20) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
        return true;
      });
      const applied = async () => JSON.parse(String((await session.get(paths.consumer('late')))?.data ?? '{}')).applied;
      await expect.poll(applied, wide).toMatch(/[1-9a-f]/);
      const memory = createConsumerMemory();
      for (const name of ['i1', 'i2']) await drain(session, await removed(session, name), 200, memory);
      const missed = await removed(session, 'i3');
      const third = await drain(session, missed, 5_000, memory);
      expect(third).toMatchObject({ acknowledged: 0, unacknowledged: [{ id: 'late', what: 'late' }] });
      expect(third.ms).toBeLessThan(2_000);
      hangs = false;
      wake();
      await expect.poll(async () => BigInt(`0x${await applied()}`) >= missed, wide).toBe(true);
      expect(await drain(session, await removed(session, 'i4'), 10_000, memory)).toMatchObject({ acknowledged: 1 });
    });

    it('watches at most 500 consumers at a time, however many somebody adds', async () => {
      const session = await withInstances(2);
      const all = Array.from({ length: 1_200 }, (_, at) => `c${at}`);
      for (let at = 0; at < all.length; at += 100) {
        const some = all.slice(at, at + 100);
        await Promise.all(
          some.map((id) => session.create(paths.consumer(id), Buffer.from('{"applied":"0"}'), 'ephemeral')),
        );
      }
      const watched = { now: 0, most: 0 };
      const counting = Object.create(session, {
        watch: {
          async *value(path: string, options: { signal: AbortSignal }) {
            watched.most = Math.max(watched.most, ++watched.now);
            try {
              yield* session.watch(path, options);
            } finally {
              watched.now--;
            }
          },
        },
      });
      const drained = await drain(counting, await removed(session, 'i1'), 1_000);
      expect(watched.most).toBe(500);
      expect(drained.unacknowledged).toHaveLength(1_200);
      expect(drained.ms).toBeLessThan(5_000);
    });

    it('does not wait for a consumer that registered after the deletion', async () => {
      const session = await withInstances(2);
      const zxid = await removed(session, 'i1');
      consume(kit.open(kit.connect()), 'late', async () => false);
      await expect.poll(() => session.exists(paths.consumer('late')), wide).not.toBeNull();
      expect(await drain(session, zxid, 5_000)).toMatchObject({ unacknowledged: [] });
    });

    it('lasts at least as long as its rule says, for readers that acknowledge nothing', async () => {
      const session = await withInstances(1);
      const rule = { atLeast: 300, atMost: 5_000 };
      const parts = { session, service: SERVICE, memory: createConsumerMemory(), clock };
      expect((await awaitConsumers(parts, await removed(session, 'i1'), rule, never)).ms).toBeGreaterThanOrEqual(300);
    });

    it('is answered by a consumer whose session was lost meanwhile, as by one that is new', async () => {
      const session = await withInstances(2);
      const other = kit.open(kit.connect());
      const seen: string[][] = [];
      consume(other, 'lost', async (list) => {
        seen.push(addresses(list));
        return true;
      });
      await expect.poll(() => seen, wide).toHaveLength(1);
      await kit.expire(other);
      const owner = async () => (await session.exists(paths.consumer('lost')))?.ephemeralOwner;
      await expect.poll(async () => (await owner()) === (await other.connected()).sessionId, wide).toBe(true);
      expect(await drain(session, await removed(session, 'i1'))).toMatchObject({ unacknowledged: [] });
      expect(seen.at(-1)).toEqual(['10.0.0.1:82']);
    });
  });

  describe(`a consumer (${kit.name})`, () => {
    it('applies an instance that comes back under its name with another port', async () => {
      const session = await withInstances(1);
      const seen: string[][] = [];
      consume(kit.open(kit.connect()), 'c', async (list) => {
        seen.push(addresses(list));
        return true;
      });
      await expect.poll(() => seen, wide).toEqual([['10.0.0.1:81']]);
      await session.remove(paths.registration('i1'), -1);
      await add(session, 'i1', 99);
      await expect.poll(() => seen.at(-1), wide).toEqual(['10.0.0.1:99']);
    });

    it('tries again what failed, with the newest list, and acknowledges only then', async () => {
      const session = await withInstances(2);
      let broken = false;
      consume(kit.open(kit.connect()), 'c', async () => {
        if (broken) throw new Error('the proxy is away');
        return true;
      });
      const applied = async () =>
        BigInt(`0x${JSON.parse(String((await session.get(paths.consumer('c')))?.data ?? '{"applied":"0"}')).applied}`);
      await expect.poll(async () => (await applied()) > 0n, wide).toBe(true);
      broken = true;
      const zxid = await removed(session, 'i1');
      await clock.sleep(300);
      expect((await applied()) < zxid).toBe(true);
      broken = false;
      await expect.poll(async () => (await applied()) >= zxid, wide).toBe(true);
    });

    it('keeps the list on disk', async () => {
      const directory = await mkdtemp(join(tmpdir(), 'gitfleet-cache-'));
      stops.push(() => rm(directory, { recursive: true }));
      await withInstances(2);
      consume(kit.open(kit.connect()), 'c', async () => true, directory);
      await expect.poll(async () => (await readCache(directory, SERVICE))?.instances.length, wide).toBe(2);
    });
  });
}

drainSuite(realKit());
drainSuite(fakeKit());
