import { beforeEach, expect, it } from 'vitest';
import { createClient } from '../../library/create-client.ts';
import type { Client } from '../../library/index.ts';
import { systemClock as clock, systemRandom as random } from '../../runtime/clock.ts';
import type { Session } from '../../zookeeper/session.ts';
import { silentLog as log } from '../support/log.ts';
import { fakeKit } from '../support/zookeeper/kit.ts';

const kit = fakeKit();
let session: Session;
let values: Client['values'];

beforeEach(async () => {
  session = kit.open(kit.connect());
  ({ values } = createClient(session, [], { clock, random, log }));
  await session.removeTree('/servers');
});

const place = '/servers/cache/c6/host';

it('a value is put with its parents, read, listed and removed', async () => {
  expect(await values.get(place)).toBeNull();
  expect(await values.put(place, '10.0.0.7')).toEqual({ version: 0, created: true });
  expect(String((await values.get(place))?.data)).toBe('10.0.0.7');
  await values.put('/servers/cache/a', new Uint8Array([1]));
  expect([await values.ls('/servers/cache'), await values.ls('/none')]).toEqual([['a', 'c6'], null]);
  await values.rm(place);
  expect(await values.get(place)).toBeNull();
});

it('a value that is there is overwritten with the version that was read, or by force', async () => {
  await values.put(place, 'a');
  await expect(values.put(place, 'b')).rejects.toMatchObject({ code: 'VALUE_EXISTS' });
  await expect(values.put(place, 'b', { ifVersion: 4 })).rejects.toMatchObject({ code: 'VALUE_CHANGED' });
  expect(await values.put(place, 'b', { ifVersion: 0 })).toEqual({ version: 1, created: false });
  expect(await values.put(place, 'c', { force: true })).toEqual({ version: 2, created: false });
  expect(await values.get(place)).toMatchObject({ version: 2 });
});

it('what has something below it is removed by force alone', async () => {
  await values.put(place, 'a');
  await expect(values.rm('/servers')).rejects.toMatchObject({ code: 'VALUE_EXISTS' });
  await values.rm('/servers', { force: true });
  await expect(values.rm('/servers')).rejects.toMatchObject({ code: 'VALUE_MISSING' });
});

it('nothing is written into an app, a registry of services or the tree of ZooKeeper', async () => {
  for (const child of ['config', 'deployments', 'rollout']) await session.ensure(`/teams/shop/${child}`);
  for (const path of [
    '/teams/shop',
    '/teams/shop/agents/web-1',
    '/service/shop/web',
    '/service-fleet',
    '/zookeeper/quota',
  ]) {
    const refused = { code: 'ZNODE_RESERVED', next: 'stall' };
    await expect(values.put(path, 'x', { force: true }), path).rejects.toMatchObject(refused);
    await expect(values.rm(path, { force: true }), path).rejects.toMatchObject(refused);
  }
  await expect(values.rm('/teams', { force: true })).rejects.toMatchObject({ code: 'ZNODE_RESERVED' });
  expect(await session.exists('/teams/shop/rollout')).not.toBeNull();
});

it('what is no path, or too large, is refused before anything is asked', async () => {
  await expect(values.put('servers', 'x')).rejects.toMatchObject({ code: 'ZNODE' });
  await expect(values.get('servers')).rejects.toMatchObject({ code: 'ZNODE' });
  await expect(values.put('/', 'x')).rejects.toMatchObject({ code: 'ZNODE' });
  await expect(values.put(place, Buffer.alloc(524_289))).rejects.toMatchObject({ code: 'USAGE' });
});

it('a watched value shows each newer one, before it is there and after it is gone', async () => {
  const stop = new AbortController();
  const seen: (string | null)[] = [];
  const watching = (async () => {
    for await (const value of values.watch(place, { signal: stop.signal })) seen.push(value && String(value.data));
  })();
  await expect.poll(() => seen).toEqual([null]);
  await values.put(place, 'a');
  await expect.poll(() => seen).toEqual([null, 'a']);
  await values.put(place, 'b', { ifVersion: 0 });
  await expect.poll(() => seen).toEqual([null, 'a', 'b']);
  await values.rm(place);
  await expect.poll(() => seen).toEqual([null, 'a', 'b', null]);
  stop.abort();
  await watching;
});
