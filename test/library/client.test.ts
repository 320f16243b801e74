import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { reservedFor } from '../../fleet/access.ts';
import { createClient } from '../../library/create-client.ts';
import { connect } from '../../library/index.ts';
import { systemClock as clock, systemRandom as random } from '../../runtime/clock.ts';
import { silentLog as log } from '../support/log.ts';
import { ownAddress } from '../support/services/web.ts';
import { fakeKit } from '../support/zookeeper/kit.ts';

const kit = fakeKit();
const wide = { timeout: 30_000 };
const open = (apps: string[] = []) => {
  const session = kit.open(kit.connect(), { backoff: { firstMs: 5, maxMs: 50 } });
  return { ...createClient(session, apps, { clock, random, log }), session };
};

describe('a client', () => {
  it('writes text and bytes, and reads them back', async () => {
    const client = open();
    await client.ensure('/shop/values');
    await client.create('/shop/values/a', 'grün');
    await client.create('/shop/values/b', new Uint8Array([1, 2, 3]).subarray(1));
    expect(String((await client.get('/shop/values/a'))?.data)).toBe('grün');
    expect([...((await client.get('/shop/values/b'))?.data ?? [])]).toEqual([2, 3]);
    expect(await client.create('/shop/values/n-', '', { mode: 'persistent-sequential' })).toMatch(/n-.*\d{10}$/);
    await client.transact([
      { op: 'check', path: '/shop/values/a', version: 0 },
      { op: 'set', path: '/shop/values/b', data: 'new', version: 0 },
      { op: 'remove', path: '/shop/values/a', version: 0 },
    ]);
    expect([await client.exists('/shop/values/a'), String((await client.get('/shop/values/b'))?.data)]).toEqual([
      null,
      'new',
    ]);
    await client.removeTree('/shop');
    expect(await client.children('/shop')).toBeNull();
  });

  it('says what is wrong with a path, and with its next step', async () => {
    const client = open();
    await expect(client.get('shop')).rejects.toMatchObject({ code: 'ZNODE', next: 'stall' });
    await expect(client.create('/shop//a', '')).rejects.toMatchObject({ code: 'ZNODE' });
    await expect(client.create('/none/a', '')).rejects.toMatchObject({ code: 'NO_NODE', outcome: 'none' });
    expect(() => client.watch('x', { signal: AbortSignal.timeout(1) })).toThrow('does not start with a slash');
  });

  it('writes nowhere in the trees of gitfleet and ZooKeeper, and may read there', async () => {
    const client = open(['/teams/web']);
    await client.session.ensure('/app/business/rollout');
    for (const path of [
      '/app/business/rollout',
      '/app/business/config',
      '/teams/web/permits/web-1',
      '/zookeeper/quota',
    ]) {
      const refused = { code: 'ZNODE_RESERVED', next: 'stall' };
      await expect(client.create(path, '')).rejects.toMatchObject(refused);
      await expect(client.set(path, '', -1)).rejects.toMatchObject(refused);
      await expect(client.remove(path, -1)).rejects.toMatchObject(refused);
      await expect(client.removeTree(path)).rejects.toMatchObject(refused);
      await expect(client.ensure(path)).rejects.toMatchObject(refused);
      await expect(client.transact([{ op: 'set', path, data: '', version: 0 }])).rejects.toMatchObject(refused);
      await expect(client.lock(path)).rejects.toMatchObject(refused);
      await expect(client.elect(path)).rejects.toMatchObject(refused);
      await expect(client.semaphore(path, 1)).rejects.toMatchObject(refused);
      await expect(client.slots(path, 1)).rejects.toMatchObject(refused);
      await expect(client.queue(path)).rejects.toMatchObject(refused);
      await expect(client.tasks(path)).rejects.toMatchObject(refused);
      await expect(client.membership(path, 'a')).rejects.toMatchObject(refused);
      expect(() => client.barrier(path)).toThrow('belongs to');
    }
    expect(await client.exists('/app/business/rollout')).not.toBeNull();
  });

  it('knows which znodes those are', () => {
    const free = ['/app', '/app/business', '/app/features/new/enabled', '/shop/rollout', '/zookeepers', '/service/a/b'];
    for (const path of free) expect(reservedFor(path, ['/shop/web'])).toBeNull();
    for (const path of ['/zookeeper', '/service-fleet/a', '/app/x/online/web-1', '/shop/web/hold']) {
      expect(reservedFor(path, ['/shop/web'])).not.toBeNull();
    }
  });

  it('yields each term of an election, until it is left or its signal fires', async () => {
    const [first, second] = [open(), open()];
    const stop = new AbortController();
    const election = await first.elect('/leaders/a', { signal: stop.signal, content: 'first' });
    const fences: bigint[] = [];
    const led = (async () => {
      for await (const term of election) fences.push(term.fence);
    })();
    await expect.poll(() => fences.length, wide).toBe(1);
    await kit.expire(first.session);
    await expect.poll(() => fences.length, wide).toBe(2);
    expect((fences[1] as bigint) > (fences[0] as bigint)).toBe(true);
    stop.abort();
    await led;
    const next = await second.elect('/leaders/a');
    for await (const term of next) {
      await second.transact([term.guard]);
      await next.leave();
    }
    expect(next.term).toBeUndefined();
  });

  it('has the recipes at paths that it makes', async () => {
    const client = open();
    const lock = await client.lock('/work/lock', { content: 'host-1' });
    expect(String((await client.get(lock.node))?.data)).toBe('host-1');
    await lock.release();
    await (await client.semaphore('/work/leases', 2)).release();
    expect((await client.slots('/work/slots', 2)).slot).toBe(0);
    const barrier = client.barrier('/work/gates/load');
    expect([await barrier.hold(), await barrier.hold(), await barrier.release()]).toEqual([true, false, true]);
    await barrier.wait();
    const member = await client.membership('/work/members', 'web-1', { port: 80 });
    await expect.poll(() => member.held(), wide).toBe(true);
    expect(JSON.parse(String((await client.get('/work/members/web-1'))?.data))).toMatchObject({ port: 80 });
    await member.leave();
    const queue = await client.queue('/work/queue');
    const stop = new AbortController();
    await queue.put('one');
    await queue.put('two');
    const seen: string[] = [];
    for await (const item of queue.items(stop.signal)) {
      seen.push(String(item.data));
      await item.done();
      if (seen.length === 2) stop.abort();
    }
    expect(seen).toEqual(['one', 'two']);
    const tasks = await client.tasks('/work/tasks');
    const leader = tasks.lead();
    const over = new AbortController();
    const working = tasks.work(({ data }) => `${data}!`, { signal: over.signal });
    const result = await tasks.result(await tasks.submit('hello'));
    expect([result.done, String(result.data), await tasks.forget(result.id), await tasks.progress()]).toEqual([
      true,
      'hello!',
      true,
      [],
    ]);
    over.abort();
    await working;
    await leader.leave();
  });
});

describe('connect', () => {
  it('refuses at once what can never work', () => {
    const zookeeper = '127.0.0.1:1';
    expect(() => connect({ zookeeper: 'zk1:port' })).toThrow(expect.objectContaining({ code: 'BAD_CONNECT_STRING' }));
    const settings = [
      { zookeeper, sessionTimeout: '15' },
      { zookeeper, sessionTimeout: '1s' },
      { zookeeper, authFile: '/nowhere/agent.auth' },
    ];
    for (const each of settings) expect(() => connect(each)).toThrow(expect.objectContaining({ code: 'SETTINGS' }));
  });

  it('gives a client at once, and its calls end at their deadline while no server answers', async () => {
    const lines: string[] = [];
    const client = connect({ zookeeper: '127.0.0.1:1', log: ({ msg }) => lines.push(msg) });
    expect(client.state).toBe('connecting');
    await expect(client.get('/a', { deadlineMs: 50 })).rejects.toMatchObject({ code: 'DEADLINE', outcome: 'none' });
    await expect.poll(() => lines.length, wide).toBeGreaterThan(0);
    await client.close();
    expect(client.state).toBe('closed');
  });
});

describe('the services of a client', () => {
  it('an instance is registered while its port is open, listed, picked, and leaves', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, resolve));
    const { port } = server.address() as AddressInfo;
    const [host, client] = [ownAddress(), open()];
    const instance = client.services.register('shop/web', { port, host, labels: { zone: 'a' } });
    await expect.poll(() => instance.name, wide).not.toBeNull();
    expect(await client.services.names()).toEqual(['shop/web']);
    const reader = open();
    expect(await reader.services.list('shop/web')).toMatchObject({ state: 'live', instances: [{ host, port }] });
    const fits = ({ zone }: Readonly<Record<string, string>>) => zone === 'a';
    expect(await reader.services.pick('shop/web', { fits })).toMatchObject({
      host,
      port,
      twin: { labels: { zone: 'a' } },
    });
    expect(await instance.leave({ atLeastMs: 0 })).toEqual({ alone: true, unacknowledged: [] });
    expect((await reader.services.list('shop/web')).state).toBe('empty');
    expect(await client.children('/service-fleet/shop/web/instances')).toEqual([]);
    await new Promise((resolve) => server.close(resolve));
  });

  it('a name that is none, an instance that is none and a host that leads to the caller are refused', async () => {
    const { services } = open();
    await expect(services.list('shop')).rejects.toMatchObject({ code: 'ZNODE' });
    await expect(services.pick('no/such')).rejects.toMatchObject({ code: 'NO_INSTANCE' });
    expect(() => services.register('shop/web', { port: 80, host: '127.0.0.1' })).toThrow(
      'leads every caller to itself',
    );
  });
});
