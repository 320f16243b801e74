import { describe, expect, it } from 'vitest';
import { digestId } from '../../zookeeper/acl.ts';
import { type AclEntry, ANY_VERSION } from '../../zookeeper/session.ts';
import { openProxy } from '../support/proxy.ts';
import { sessionsForTest } from '../support/zookeeper/session.ts';
import { sharedServer } from '../support/zookeeper/shared.ts';

const real = sharedServer();
const open = sessionsForTest();
const bytes = (text: string) => Buffer.from(text);
const wide = { timeout: 20_000 };
const operator: AclEntry = { scheme: 'digest', id: digestId('operator', 'o'), permissions: 'cdrwa' };
const agent: AclEntry = { scheme: 'digest', id: digestId('agent', 'a'), permissions: 'rw' };
const as = (credential: string) => ({ auth: [{ scheme: 'digest', credential }], defaultAcl: [operator] });

describe('credentials', () => {
  it('make a digest as the server does', () => {
    expect(digestId('super', 'test')).toBe('super:D/InIHSb7yEEbrWz8b9l71RjZJU=');
  });

  it('are sent before the first request and the first one after each reconnect, also a hundred at once', async () => {
    const path = await openProxy(real);
    const session = open(path.connect, { ...as('operator:o'), backoff: { firstMs: 1, maxMs: 20 } });
    await session.create('/ours', bytes(''), 'persistent');
    for (let round = 0; round < 10; round++) {
      path.cut();
      const reads = Array.from({ length: 100 }, () => session.get('/ours', { deadlineMs: 20_000 }));
      expect((await Promise.all(reads)).every((found) => found !== null)).toBe(true);
    }
    await session.close();
    await path.stop();
  });

  it('that are wrong are a clear stall for a call and for a watch, and no loop', async () => {
    await open(real.connect(), as('operator:o')).create('/closed', bytes(''), 'persistent');
    const session = open(real.connect(), as('operator:wrong'));
    const refused = { code: 'NO_AUTH', next: 'stall', outcome: 'none', hint: expect.stringContaining('authFile') };
    await expect(session.get('/closed')).rejects.toMatchObject(refused);
    await expect(session.set('/closed', bytes('x'), ANY_VERSION)).rejects.toMatchObject(refused);
    const stream = session.watch('/closed', { signal: new AbortController().signal })[Symbol.asyncIterator]();
    await expect(stream.next()).rejects.toMatchObject(refused);
    expect(session.vitals()).toMatchObject({ reconnects: 0, watchedPaths: 0, state: 'connected' });
  });

  it('of a scheme the server does not know close the session for good, with the reason', async () => {
    const session = open(real.connect(), { auth: [{ scheme: 'nonsense', credential: 'x' }] });
    await expect.poll(() => session.state, wide).toBe('closed');
    const refused = { code: 'AUTH_FAILED', next: 'stall' };
    await expect(session.get('/')).rejects.toMatchObject(refused);
    await expect(session.create('/x', bytes(''), 'persistent')).rejects.toMatchObject(refused);
    await expect(session.connected()).rejects.toMatchObject(refused);
    const stream = session.watch('/', { signal: new AbortController().signal })[Symbol.asyncIterator]();
    await expect(stream.next()).rejects.toMatchObject(refused);
  });

  it('lists of access are read, changed at a version, and hold for everyone who is not named', async () => {
    const session = open(real.connect(), as('operator:o'));
    const nobody = open(real.connect());
    await session.create('/list', bytes(''), 'persistent');
    expect(await session.getAcl('/list')).toEqual({ acl: [operator], version: 0 });
    await session.setAcl('/list', [operator, agent], 0);
    await expect(session.setAcl('/list', [operator], 0)).rejects.toMatchObject({ code: 'BAD_VERSION' });
    expect(await session.getAcl('/list')).toEqual({ acl: [operator, agent], version: 1 });
    expect(await session.getAcl('/nothing')).toBeNull();
    await expect(nobody.set('/list', bytes('x'), ANY_VERSION)).rejects.toMatchObject({ code: 'NO_AUTH' });
    await open(real.connect(), as('agent:a')).set('/list', bytes('x'), 0);
  });

  it('every create carries a list, in transactions and ensured parents too', async () => {
    const session = open(real.connect(), as('operator:o'));
    await session.ensure('/tree/branch');
    await session.transact([{ op: 'create', path: '/tree/leaf', data: bytes(''), mode: 'persistent' }]);
    await session.create('/tree/own', bytes(''), 'persistent', { acl: [operator, agent] });
    const lists = await Promise.all(['/tree', '/tree/branch', '/tree/leaf'].map((path) => session.getAcl(path)));
    expect(lists.map((list) => list?.acl)).toEqual([[operator], [operator], [operator]]);
    expect((await session.getAcl('/tree/own'))?.acl).toEqual([operator, agent]);
  });
});
