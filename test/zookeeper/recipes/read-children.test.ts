import { expect, it } from 'vitest';
import { readChildren } from '../../../zookeeper/recipes/read-children.ts';
import type { Session } from '../../../zookeeper/session.ts';
import { fakeKit } from '../../support/zookeeper/kit.ts';

const kit = fakeKit();

/** Counts the reads that are under way. */
function counted(session: Session): { session: Session; most: () => number; reads: () => number } {
  let [now, most, reads] = [0, 0, 0];
  const get: Session['get'] = async (path, options) => {
    now += 1;
    reads += 1;
    most = Math.max(most, now);
    try {
      return await session.get(path, options);
    } finally {
      now -= 1;
    }
  };
  const seen = new Proxy(session, { get: (of, name) => (name === 'get' ? get : Reflect.get(of, name, of)) });
  return { session: seen, most: () => most, reads: () => reads };
}

it('reads as many children as it may, so many at a time, and only those whose names count', async () => {
  const open = kit.open(kit.connect());
  await open.ensure('/online');
  const names = [...Array.from({ length: 60 }, (_, n) => `web-${String(n).padStart(2, '0')}`), '\u202egnp', 'a b'];
  for (const name of names) await open.create(`/online/${name}`, Buffer.from(name), 'persistent');
  const { session, most, reads } = counted(open);
  const options = { names: (name: string) => /^[\w-]+$/.test(name), maxNodes: 50, atOnce: 8 };
  const { nodes, ignored, unread } = await readChildren(session, '/online', options);
  expect([nodes.size, ignored, unread, reads()]).toEqual([50, 2, 10, 50]);
  expect(most()).toBeLessThanOrEqual(8);
  expect([...nodes.keys()].slice(0, 2)).toEqual(['web-00', 'web-01']);
  expect(String(nodes.get('web-07')?.data)).toBe('web-07');
});

it('leaves out a child that goes meanwhile, and finds nothing below a node that is not there', async () => {
  const open = kit.open(kit.connect());
  await open.ensure('/going');
  for (const name of ['a', 'b']) await open.create(`/going/${name}`, Buffer.alloc(0), 'persistent');
  const get: Session['get'] = async (path) => {
    if (path === '/going/a') await open.remove(path, 0);
    return open.get(path);
  };
  const session = new Proxy(open, { get: (of, name) => (name === 'get' ? get : Reflect.get(of, name, of)) });
  expect([...(await readChildren(session, '/going', { names: () => true })).nodes.keys()]).toEqual(['b']);
  expect((await readChildren(session, '/missing', { names: () => true })).nodes.size).toBe(0);
});
