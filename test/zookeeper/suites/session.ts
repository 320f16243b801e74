import { describe, expect, it } from 'vitest';
import { isCode } from '../../../zookeeper/errors.ts';
import type { Handshake } from '../../../zookeeper/open-session.ts';
import { ANY_VERSION } from '../../../zookeeper/session.ts';
import type { ZooKeeperKit } from '../../support/zookeeper/kit.ts';
import { next } from '../../support/zookeeper/session.ts';

export function sessionSuite(kit: ZooKeeperKit): void {
  const bytes = (text: string) => Buffer.from(text);

  describe('a session on a healthy server', () => {
    it('creates, reads, changes, lists and removes nodes', async () => {
      const session = kit.open(kit.connect());
      expect(await session.create('/a', bytes('1'), 'persistent')).toBe('/a');
      const made = await session.get('/a');
      expect(made?.data.toString()).toBe('1');
      expect(made?.stat.version).toBe(0);
      expect((await session.set('/a', bytes('2'), 0)).version).toBe(1);
      await expect(session.set('/a', bytes('3'), 0)).rejects.toMatchObject({ code: 'BAD_VERSION', outcome: 'none' });
      expect(await session.children('/a')).toEqual([]);
      expect(await session.children('/nothing')).toBeNull();
      expect(await session.get('/nothing')).toBeNull();
      expect(await session.exists('/nothing')).toBeNull();
      await session.remove('/a', ANY_VERSION);
      expect(await session.exists('/a')).toBeNull();
    });

    it('appends a number to sequential nodes, and gives ephemeral ones its session id', async () => {
      const session = kit.open(kit.connect());
      const { sessionId } = await session.connected();
      await session.ensure('/seq');
      const first = await session.create('/seq/n-', bytes(''), 'ephemeral-sequential');
      const second = await session.create('/seq/n-', bytes(''), 'ephemeral-sequential');
      expect(first).toMatch(/^\/seq\/n-[0-9a-f]{16}-0000000000$/);
      expect(second).toMatch(/-0000000001$/);
      expect((await session.exists(first))?.ephemeralOwner).toBe(sessionId);
    });

    it('is continued, with its ephemerals, by a later handle; one that is over gives way to a new one', async () => {
      const saved: Handshake[] = [];
      const onSession = (session: Handshake) => void saved.push(session);
      const first = kit.open(kit.connect(), { onSession });
      const { sessionId } = await first.connected();
      await first.create('/kept', bytes(''), 'ephemeral');
      first.detach();
      expect(first.state).toBe('closed');
      const second = kit.open(kit.connect(), { onSession, resume: saved[0] });
      expect((await second.connected()).sessionId).toBe(sessionId);
      expect((await second.connected()).generation).toBe(1);
      expect((await second.exists('/kept'))?.ephemeralOwner).toBe(sessionId);
      await second.close();
      const third = kit.open(kit.connect(), { onSession, resume: saved[0] });
      expect((await third.connected()).sessionId).not.toBe(sessionId);
      expect(await third.exists('/kept')).toBeNull();
      expect(saved.map(({ id }) => id.readBigInt64BE())).toEqual([
        sessionId,
        sessionId,
        (await third.connected()).sessionId,
      ]);
    });

    it('takes version 0 of a transaction at its word, and names the operation that was refused', async () => {
      const session = kit.open(kit.connect());
      await session.create('/t', bytes('0'), 'persistent');
      await session.set('/t', bytes('1'), 0);
      const lost = session.transact([
        { op: 'check', path: '/', version: ANY_VERSION },
        { op: 'set', path: '/t', data: bytes('lost update'), version: 0 },
      ]);
      await expect(lost).rejects.toMatchObject({ code: 'BAD_VERSION', failedAt: 1, path: '/t', outcome: 'none' });
      const results = await session.transact([
        { op: 'check', path: '/t', version: 1 },
        { op: 'set', path: '/t', data: bytes('2'), version: 1 },
        { op: 'create', path: '/t/child', data: bytes('c'), mode: 'persistent' },
        { op: 'remove', path: '/t/child', version: 0 },
      ]);
      expect(results.map((result) => result.path ?? result.stat?.version)).toEqual([
        undefined,
        2,
        '/t/child',
        undefined,
      ]);
      expect((await session.get('/t'))?.data.toString()).toBe('2');
    });

    it('makes and removes whole trees, below a chroot that it also makes', async () => {
      const session = kit.open(kit.connect('/deep/root/'));
      await expect(session.create('/x', bytes(''), 'persistent')).rejects.toMatchObject({ code: 'NO_NODE' });
      await session.ensure('/app/business/config');
      await session.ensure('/app/business/config');
      await session.create('/app/business/other', bytes(''), 'persistent');
      expect((await session.children('/app/business'))?.toSorted()).toEqual(['config', 'other']);
      const outside = kit.open(kit.connect());
      expect(await outside.children('/deep/root/app')).toEqual(['business']);
      await session.removeTree('/app');
      await session.removeTree('/app');
      expect(await outside.children('/deep/root')).toEqual([]);
    });

    it('watches a node before it exists, while it changes, and after it is gone', async () => {
      const session = kit.open(kit.connect());
      const writer = kit.open(kit.connect());
      const stop = new AbortController();
      const stream = session.watch('/w', { signal: stop.signal })[Symbol.asyncIterator]();
      expect(await next(stream)).toEqual({ exists: false });
      await writer.create('/w', bytes('1'), 'persistent');
      expect(await next(stream)).toMatchObject({ exists: true, data: bytes('1') });
      for (let n = 2; n <= 50; n++) await writer.set('/w', bytes(String(n)), n - 2);
      for (let text = ''; text !== '50'; ) {
        const snapshot = await next(stream);
        text = snapshot.exists ? snapshot.data.toString() : '';
      }
      await writer.remove('/w', ANY_VERSION);
      expect(await next(stream)).toEqual({ exists: false });
      stop.abort();
      expect((await stream.next()).done).toBe(true);
    });

    it('watches the names of children, also before the parent exists', async () => {
      const session = kit.open(kit.connect());
      const stop = new AbortController();
      const stream = session.watchChildren('/kids', { signal: stop.signal })[Symbol.asyncIterator]();
      expect(await next(stream)).toEqual({ exists: false });
      await session.ensure('/kids');
      expect(await next(stream)).toMatchObject({ exists: true, names: [] });
      await session.create('/kids/a', bytes(''), 'persistent');
      expect(await next(stream)).toMatchObject({ exists: true, names: ['a'] });
      stop.abort();
    });

    it('tells a list of children by the last transaction that changed it, which no content of a child moves', async () => {
      const session = kit.open(kit.connect());
      await session.ensure('/list');
      const made = await session.exists('/list');
      expect(made?.pzxid).toBe(made?.czxid);
      await session.create('/list/a', bytes('1'), 'persistent');
      const withChild = await session.exists('/list');
      expect(withChild?.pzxid).toBe((await session.exists('/list/a'))?.czxid);
      await session.set('/list/a', bytes('2'), 0);
      await session.set('/list', bytes('own'), 0);
      expect((await session.exists('/list'))?.pzxid).toBe(withChild?.pzxid);
      const both = [
        { op: 'remove', path: '/list/a', version: 1 },
        { op: 'check', path: '/nowhere', version: 0 },
      ] as const;
      await expect(session.transact(both)).rejects.toMatchObject({ code: 'NO_NODE', failedAt: 1 });
      expect((await session.exists('/list'))?.pzxid).toBe(withChild?.pzxid);
      await session.remove('/list/a', 1);
      expect((await session.exists('/list'))?.pzxid).toBeGreaterThan(withChild?.pzxid as bigint);
    });

    it('yields a list whose child went and came back under its name, whoever removed it', async () => {
      const session = kit.open(kit.connect());
      const owner = kit.open(kit.connect());
      await session.ensure('/twice');
      await owner.create('/twice/web', bytes('["10.0.0.1","80"]'), 'ephemeral');
      const stop = new AbortController();
      const stream = session.watchChildren('/twice', { signal: stop.signal })[Symbol.asyncIterator]();
      const first = await next(stream);
      const again = { op: 'create', path: '/twice/web', data: bytes('["10.0.0.1","81"]'), mode: 'ephemeral' } as const;
      // Both between two reads: no read sees the list without the name.
      await owner.transact([{ op: 'remove', path: '/twice/web', version: 0 }, again]);
      const second = await next(stream);
      expect([first, second]).toMatchObject([
        { exists: true, names: ['web'] },
        { exists: true, names: ['web'] },
      ]);
      expect(second.exists && first.exists && second.stat.pzxid > first.stat.pzxid).toBe(true);
      await kit.expire(owner);
      const third = await next(stream);
      expect(third).toMatchObject({ exists: true, names: [] });
      expect(third.exists && second.exists && third.stat.pzxid > second.stat.pzxid).toBe(true);
      stop.abort();
    });

    it('refuses what it can refuse before anything is sent', async () => {
      const session = kit.open(kit.connect());
      const big = Buffer.alloc(1_000_001);
      await expect(session.create('/big', big, 'persistent')).rejects.toMatchObject({
        code: 'NODE_TOO_LARGE',
        outcome: 'none',
      });
      const half = Buffer.alloc(600_000);
      const halves = ['/h1', '/h2'].map((path) => ({
        op: 'create' as const,
        path,
        data: half,
        mode: 'persistent' as const,
      }));
      await expect(session.transact(halves)).rejects.toMatchObject({ code: 'NODE_TOO_LARGE', outcome: 'none' });
      for (const path of ['', 'a', '/a/', '//a', '/a/../b', '/a\u0000']) {
        await expect(session.get(path)).rejects.toMatchObject({ code: 'BAD_PATH' });
        await expect(session.set(path, bytes(''), 0)).rejects.toMatchObject({ code: 'BAD_PATH' });
      }
      await expect(session.set('/a', bytes(''), undefined as unknown as number)).rejects.toMatchObject({
        code: 'BAD_ARGUMENTS',
      });
      await session.create('/big', Buffer.alloc(1_000_000), 'persistent');
      expect((await session.get('/big'))?.data.length).toBe(1_000_000);
      expect(session.vitals().reconnects).toBe(0);
    });

    it('closes in any state, more than once, and its ephemerals go at once', async () => {
      const other = kit.open(kit.connect());
      const early = kit.open(kit.connect());
      await early.close();
      expect(early.state).toBe('closed');
      await expect(early.get('/')).rejects.toSatisfy((error) => isCode(error, 'CLOSED'));
      const session = kit.open(kit.connect());
      await session.create('/mine', bytes(''), 'ephemeral');
      const { signal } = await session.connected();
      await Promise.all([session.close(), session.close()]);
      expect(signal.aborted).toBe(true);
      expect(await other.exists('/mine')).toBeNull();
      expect(session.told.states).toEqual(['connected', 'closed']);
    });
  });
}
