import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock as clock, systemRandom as random } from '../../runtime/clock.ts';
import { openServiceAccess } from '../../services/access.ts';
import { writeCache } from '../../services/cache.ts';
import { openCaller } from '../../services/caller.ts';
import { encodeRegistration, parseConsumer, serviceZnodes } from '../../services/contract.ts';
import { makeService } from '../../services/make-service.ts';
import type { Session } from '../../zookeeper/session.ts';
import { silentLog as log } from '../support/log.ts';
import { fakeKit, realKit, type ZooKeeperKit } from '../support/zookeeper/kit.ts';

const SERVICE = 'shop/web';
const paths = serviceZnodes(SERVICE);
const wide = { timeout: 20_000 };
const never = new AbortController().signal;
const stops: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

async function directoryHere(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'gitfleet-caller-'));
  stops.push(() => rm(directory, { recursive: true }));
  return directory;
}

async function callerOn(session: Session, cacheDirectory: string | null = null) {
  const parts = { session, service: SERVICE, access: openServiceAccess, id: 'c', what: 'a test', cacheDirectory };
  const caller = await openCaller({ ...parts, clock, random, log }, never);
  stops.unshift(() => caller.close());
  return caller;
}

function callerSuite(kit: ZooKeeperKit): void {
  const add = (session: Session, port: number) =>
    session.create(paths.registration(`i${port}`), encodeRegistration({ host: '10.0.0.1', port }), 'ephemeral');
  async function withInstances(...ports: number[]): Promise<Session> {
    const session = kit.open(kit.connect());
    await makeService(session, SERVICE, openServiceAccess);
    for (const port of ports) await add(session, port);
    return session;
  }
  async function removed(session: Session, port: number): Promise<bigint> {
    await session.remove(paths.registration(`i${port}`), -1);
    return (await session.exists(paths.list))?.pzxid ?? 0n;
  }
  const applied = async (session: Session) => {
    const node = await session.get(paths.consumer('c'));
    return BigInt(`0x${(node && parseConsumer(node.data)?.applied) ?? '0'}`);
  };

  describe(`a caller (${kit.name})`, () => {
    it('picks what is listed, follows the list, and says when there is nothing to pick', async () => {
      const session = await withInstances(81);
      const caller = await callerOn(kit.open(kit.connect()));
      expect(caller.list.state).toBe('live');
      expect(caller.asOf).toBeNull();
      expect(caller.pick()).toMatchObject({ host: '10.0.0.1', port: 81 });
      expect(() => caller.pick({ commit: 'abc' })).toThrow('has no instance that fits');
      await session.remove(paths.registration('i81'), -1);
      await expect.poll(() => caller.list.instances.length, wide).toBe(0);
      expect(() => caller.pick()).toThrow('shop/web has no instance: its list is empty');
      await add(session, 82);
      await expect.poll(() => caller.list.instances.length, wide).toBe(1);
      expect(caller.pick({ strategy: 'round-robin' }).port).toBe(82);
    });

    it('acknowledges that an instance left once its calls there have ended, and picks it no more meanwhile', async () => {
      const session = await withInstances(81, 82);
      const caller = await callerOn(kit.open(kit.connect()));
      let answer = (_: string) => {};
      const answered = new Promise<string>((resolve) => {
        answer = resolve;
      });
      const only = { strategy: 'sticky', key: 'a' } as const;
      const { port } = caller.pick(only);
      const calling = caller.call(() => answered, only);
      const zxid = await removed(session, port);
      await expect.poll(() => caller.list.instances.length, wide).toBe(1);
      for (let at = 0; at < 50; at++) expect(caller.pick(only).port).not.toBe(port);
      await clock.sleep(200);
      expect((await applied(session)) < zxid).toBe(true);
      answer('done');
      expect(await calling).toBe('done');
      await expect.poll(async () => (await applied(session)) >= zxid, wide).toBe(true);
    });

    it('acknowledges an instance that leaves while the values of an earlier list are read', async () => {
      const session = await withInstances(81, 82, 83, 84, 85, 86, 87, 88);
      const calling = kit.open(kit.connect());
      const armed = { zxid: Promise.resolve(0n), is: false };
      const get: Session['get'] = async (path) => {
        if (armed.is && path === paths.registration('i81')) {
          armed.is = false;
          armed.zxid = removed(session, 81);
          await armed.zxid;
        }
        return await calling.get(path);
      };
      const caller = await callerOn(
        new Proxy(calling, {
          get: (target, name) => {
            if (name === 'get') return get;
            const value: unknown = Reflect.get(target, name);
            return typeof value === 'function' ? value.bind(target) : value;
          },
        }),
      );
      armed.is = true;
      await removed(session, 83);
      await expect.poll(() => caller.list.instances.length, wide).toBe(6);
      const zxid = await armed.zxid;
      expect(zxid).toBeGreaterThan(0n);
      await expect.poll(async () => (await applied(session)) >= zxid, { timeout: 5_000 }).toBe(true);
    });

    it('acknowledges a list that only gained too, a little later: another may have come and gone unseen', async () => {
      const session = await withInstances(81);
      await callerOn(kit.open(kit.connect()));
      await add(session, 82);
      const mark = (await session.exists(paths.list))?.pzxid ?? 0n;
      await expect.poll(() => applied(session), { timeout: 5_000 }).toBe(mark);
    });

    it('puts an instance aside that failed twice', async () => {
      await withInstances(81, 82);
      const caller = await callerOn(kit.open(kit.connect()));
      const fail = async ({ port }: { port: number }) => {
        if (port === 81) throw new Error('reset');
        return port;
      };
      const failed: unknown[] = [];
      for (let at = 0; at < 40; at++) await caller.call(fail).catch((error: unknown) => failed.push(error));
      expect(failed).toHaveLength(2);
    });

    it('starts from disk at once while ZooKeeper is away, says how old that is, and goes over to what is true', async () => {
      const directory = await directoryHere();
      const session = await withInstances(82);
      const old = [{ name: 'old', host: '10.0.0.1', port: 81, twin: null }];
      await writeCache(directory, SERVICE, { state: 'live', instances: old, mark: null, left: [] }, 1_000);
      const line = await kit.openLine();
      stops.push(() => line.stop());
      await line.mode('refuse');
      const caller = await callerOn(kit.open(line.connect, { backoff: { firstMs: 5, maxMs: 50 } }), directory);
      expect([caller.pick().port, caller.asOf]).toEqual([81, 1_000]);
      await line.mode('pass');
      await expect.poll(() => caller.pick().port, wide).toBe(82);
      expect(caller.asOf).toBeNull();
      expect(await session.exists(paths.consumer('c'))).not.toBeNull();
    });

    it('without anything on disk waits for the first list, until it is told not to', async () => {
      const line = await kit.openLine();
      stops.push(() => line.stop());
      await line.mode('refuse');
      const parts = { session: kit.open(line.connect), service: SERVICE, access: openServiceAccess, id: 'c', what: '' };
      const opening = openCaller({ ...parts, cacheDirectory: null, clock, random, log }, AbortSignal.timeout(100));
      await expect(opening).rejects.toThrow('timeout');
    });
  });
}

callerSuite(realKit());
callerSuite(fakeKit());
