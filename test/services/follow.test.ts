import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock as clock, systemRandom as random } from '../../runtime/clock.ts';
import { createLog } from '../../runtime/log.ts';
import { openServiceAccess } from '../../services/access.ts';
import { cacheFile, readCache, writeCache } from '../../services/cache.ts';
import { encodeRegistration, serviceZnodes } from '../../services/contract.ts';
import { followService } from '../../services/follow-service.ts';
import { makeService } from '../../services/make-service.ts';
import type { ServiceList } from '../../services/view.ts';
import type { Session } from '../../zookeeper/session.ts';
import { fakeKit, realKit, type ZooKeeperKit } from '../support/zookeeper/kit.ts';

const SERVICE = 'shop/web';
const paths = serviceZnodes(SERVICE);
const log = createLog({ level: 'silent' });
const wide = { timeout: 20_000 };
const stops: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

/** Listens on a port of its own. */
async function listening() {
  const server = createServer((line) => line.end());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = () => new Promise((resolve) => server.close(resolve));
  stops.push(close);
  return { port: (server.address() as AddressInfo).port, close };
}

function follow(session: Session, before: ServiceList['instances'] | null = null) {
  const stop = new AbortController();
  const seen: ServiceList[] = [];
  const ended = (async () => {
    const parts = { session, service: SERVICE, before, clock, random, log };
    for await (const list of followService(parts, stop.signal)) seen.push(list);
  })();
  stops.push(async () => {
    stop.abort();
    await ended;
  });
  const shown = () => {
    const last = seen.at(-1);
    return last ? [last.state, ...last.instances.map(({ port }) => port).toSorted()] : null;
  };
  return { seen, shown };
}

function followSuite(kit: ZooKeeperKit): void {
  async function registered(ports: readonly number[]): Promise<Session> {
    const session = kit.open(kit.connect());
    await makeService(session, SERVICE, openServiceAccess);
    for (const port of ports) {
      await session.create(
        paths.registration(`i${port}`),
        encodeRegistration({ host: '127.0.0.1', port }),
        'ephemeral',
      );
    }
    return session;
  }

  /** The fake server is one for the whole file. */
  async function nothingYet(): Promise<Session> {
    const session = kit.open(kit.connect());
    for (const path of ['/service', '/service-fleet']) await session.removeTree(path);
    return session;
  }

  describe(`a list that is followed (${kit.name})`, () => {
    it('is frozen when all sessions end at once: what answers stays, what does not goes', async () => {
      const [one, two, three] = [await listening(), await listening(), await listening()];
      const owner = await registered([one.port, two.port, three.port]);
      const { seen, shown } = follow(kit.open(kit.connect()));
      await expect.poll(() => shown()?.length, wide).toBe(4);
      await three.close();
      await kit.expire(owner);
      const stay = [one.port, two.port].toSorted();
      await expect.poll(shown, wide).toEqual(['frozen', ...stay]);
      expect(seen.every(({ instances }) => instances.length >= 2)).toBe(true);
      await two.close();
      await expect.poll(shown, wide).toEqual(['frozen', one.port]);
    });

    it('that an earlier process knew is frozen too, where it is gone from a ZooKeeper that was wiped', async () => {
      const one = await listening();
      const before = [{ name: 'old', host: '127.0.0.1', port: one.port, twin: null }];
      const { shown } = follow(await nothingYet(), before);
      await expect.poll(shown, wide).toEqual(['frozen', one.port]);
    });

    it('is empty where the only instance has left, and missing where there is no such service', async () => {
      const { shown } = follow(await nothingYet());
      await expect.poll(shown, wide).toEqual(['missing']);
      const owner = await registered([81]);
      await expect.poll(shown, wide).toEqual(['live', 81]);
      await owner.remove(paths.registration('i81'), -1);
      await expect.poll(shown, wide).toEqual(['empty']);
    });
  });
}

followSuite(realKit());
followSuite(fakeKit());

it('a list of 1,000 instances is read from disk within 50 ms, and what is no list of ours counts as none', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'gitfleet-cache-'));
  stops.push(() => rm(directory, { recursive: true }));
  const instances = Array.from({ length: 1_000 }, (_, at) => ({
    name: `i${at}`,
    host: '10.0.0.1',
    port: at + 1,
    twin: null,
  }));
  await writeCache(directory, SERVICE, { state: 'live', instances, mark: 1n, left: [] }, 5);
  await readCache(directory, 'other/one');
  const begun = performance.now();
  const cached = await readCache(directory, SERVICE);
  expect(performance.now() - begun).toBeLessThan(50);
  expect(cached).toEqual({ at: 5, instances });
  for (const text of ['', '{}', '{"at":1,"instances":[{"name":"a","host":"a b","port":1}]}', '[]']) {
    await writeFile(cacheFile(directory, SERVICE), text);
    expect(await readCache(directory, SERVICE), text).toBeNull();
  }
});
