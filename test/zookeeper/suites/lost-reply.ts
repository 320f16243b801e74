import { afterEach, describe, expect, it } from 'vitest';
import { ANY_VERSION, type Session } from '../../../zookeeper/session.ts';
import type { Line, ZooKeeperKit } from '../../support/zookeeper/kit.ts';

/**
 * The server did it, the answer never came. A retry would do it twice, giving up would be a lie: the session finds
 * out. Each case mutes the way back, waits until the effect is on the server, and cuts the line.
 */
export function lostReplySuite(kit: ZooKeeperKit): void {
  const proxies: Line[] = [];
  const bytes = (text: string) => Buffer.from(text);
  const LONG = { deadlineMs: 20_000 };

  afterEach(async () => {
    await Promise.all(proxies.splice(0).map((proxy) => proxy.stop()));
  });

  async function setUp() {
    const path = await kit.openLine();
    proxies.push(path);
    const session = kit.open(path.connect);
    const witness = kit.open(kit.connect());
    await session.connected();
    await witness.ensure('/lost');
    return { path, session, witness };
  }

  /** Sends `write`, lets it reach the server and nothing come back, and cuts. */
  async function withoutReply<T>(path: Line, done: () => Promise<boolean>, write: () => Promise<T>): Promise<T> {
    await path.mode('mute');
    const answer = write();
    answer.catch(() => {});
    await expect.poll(done, { timeout: 10_000, interval: 10 }).toBe(true);
    await path.mode('pass');
    path.cut();
    return answer;
  }

  /** The line breaks before the request leaves the proxy. */
  async function withoutRequest<T>(path: Line, write: () => Promise<T>): Promise<T> {
    await path.mode('drop');
    const answer = write();
    answer.catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 50));
    await path.mode('pass');
    path.cut();
    return answer;
  }

  const has = (witness: Session, path: string) => async () => (await witness.exists(path)) !== null;

  describe('a reply that is lost', () => {
    it('to create: one node, and the call succeeds', async () => {
      const { path, session, witness } = await setUp();
      const made = withoutReply(path, has(witness, '/lost/plain'), () =>
        session.create('/lost/plain', bytes('x'), 'persistent', LONG),
      );
      expect(await made).toBe('/lost/plain');
      expect((await witness.get('/lost/plain'))?.stat.version).toBe(0);
    });

    it('to create of an ephemeral: it is ours, and the call succeeds', async () => {
      const { path, session, witness } = await setUp();
      const { sessionId } = await session.connected();
      await withoutReply(path, has(witness, '/lost/eph'), () =>
        session.create('/lost/eph', bytes('x'), 'ephemeral', LONG),
      );
      expect((await witness.exists('/lost/eph'))?.ephemeralOwner).toBe(sessionId);
    });

    it('to create of a sequential node: one node, and the caller gets its name', async () => {
      const { path, session, witness } = await setUp();
      await witness.ensure('/lost/queue');
      const filled = async () => (await witness.children('/lost/queue'))?.length === 1;
      const made = await withoutReply(path, filled, () =>
        session.create('/lost/queue/n-', bytes('x'), 'ephemeral-sequential', LONG),
      );
      expect(await witness.children('/lost/queue')).toEqual([made.slice('/lost/queue/'.length)]);
    });

    it('to create of a node that somebody else had made: the truth is NODE_EXISTS', async () => {
      const { path, session, witness } = await setUp();
      await witness.create('/lost/theirs', bytes('theirs'), 'persistent');
      const made = withoutRequest(path, () => session.create('/lost/theirs', bytes('ours'), 'persistent', LONG));
      await expect(made).rejects.toMatchObject({ code: 'NODE_EXISTS', outcome: 'none' });
    });

    it('to a versioned set: one version on, and the caller gets that stat', async () => {
      const { path, session, witness } = await setUp();
      await witness.create('/lost/set', bytes('0'), 'persistent');
      const changed = async () => (await witness.exists('/lost/set'))?.version === 1;
      const stat = await withoutReply(path, changed, () => session.set('/lost/set', bytes('1'), 0, LONG));
      expect(stat.version).toBe(1);
      expect((await witness.get('/lost/set'))?.stat).toEqual(stat);
    });

    it('to a versioned set that came too late: the truth is BAD_VERSION', async () => {
      const { path, session, witness } = await setUp();
      await witness.create('/lost/late', bytes('0'), 'persistent');
      await witness.set('/lost/late', bytes('theirs'), 0);
      const set = withoutRequest(path, () => session.set('/lost/late', bytes('ours'), 0, LONG));
      await expect(set).rejects.toMatchObject({ code: 'BAD_VERSION', outcome: 'none' });
      expect((await witness.get('/lost/late'))?.data.toString()).toBe('theirs');
    });

    it('to a set that others have written over since: the outcome stays unknown', async () => {
      const { path, session, witness } = await setUp();
      await witness.create('/lost/over', bytes('0'), 'persistent');
      const over = async () => {
        const found = await witness.exists('/lost/over');
        if (found?.version === 1) await witness.set('/lost/over', bytes('theirs'), 1);
        return found?.version === 1;
      };
      const set = withoutReply(path, over, () => session.set('/lost/over', bytes('ours'), 0, LONG));
      await expect(set).rejects.toMatchObject({ code: 'CONNECTION_LOSS', outcome: 'unknown' });
    });

    it('to a transaction: done once, and the caller gets its results', async () => {
      const { path, session, witness } = await setUp();
      await witness.create('/lost/config', bytes('0'), 'persistent');
      const publish = () =>
        session.transact(
          [
            { op: 'check', path: '/lost', version: ANY_VERSION },
            { op: 'create', path: '/lost/d-1', data: bytes('nonce'), mode: 'persistent' },
            { op: 'set', path: '/lost/config', data: bytes('target'), version: 0 },
          ],
          LONG,
        );
      const results = await withoutReply(path, has(witness, '/lost/d-1'), publish);
      expect(results.map((result) => result.path ?? result.stat?.version)).toEqual([undefined, '/lost/d-1', 1]);
      expect((await witness.exists('/lost/config'))?.version).toBe(1);
    });

    it('to a transaction that never arrived: it is done once, now', async () => {
      const { path, session, witness } = await setUp();
      await witness.create('/lost/c2', bytes('0'), 'persistent');
      const results = await withoutRequest(path, () =>
        session.transact(
          [
            { op: 'create', path: '/lost/d-2', data: bytes('nonce'), mode: 'persistent' },
            { op: 'set', path: '/lost/c2', data: bytes('target'), version: 0 },
          ],
          LONG,
        ),
      );
      expect(results[1]?.stat?.version).toBe(1);
      expect((await witness.exists('/lost/c2'))?.version).toBe(1);
    });

    it('to remove: gone, and the call succeeds', async () => {
      const { path, session, witness } = await setUp();
      await witness.create('/lost/gone', bytes(''), 'persistent');
      const gone = async () => (await witness.exists('/lost/gone')) === null;
      await withoutReply(path, gone, () => session.remove('/lost/gone', 0, LONG));
    });

    it('together with the session: an ephemeral is made once more, in the new one', async () => {
      const { path, session, witness } = await setUp();
      const before = await session.connected();
      await path.mode('mute');
      const made = session.create('/lost/expired', bytes('x'), 'ephemeral', LONG);
      await expect.poll(has(witness, '/lost/expired'), { timeout: 10_000 }).toBe(true);
      await kit.expire(session);
      await path.mode('pass');
      path.cut();
      await made;
      const after = await session.connected();
      expect([before.generation, after.generation]).toEqual([1, 2]);
      expect((await witness.exists('/lost/expired'))?.ephemeralOwner).toBe(after.sessionId);
    });

    it('and no time left to find out: the caller hears unknown, never a guess', async () => {
      const { path, session } = await setUp();
      await path.mode('mute');
      const made = session.create('/lost/unknown', bytes('x'), 'persistent', { deadlineMs: 200 });
      await expect(made).rejects.toMatchObject({ code: 'DEADLINE', outcome: 'unknown' });
    });
  });
}
