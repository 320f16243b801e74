import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { ANY_VERSION, type Session } from '../../zookeeper/session.ts';
import { proxiesForTest } from '../support/proxy.ts';
import { until } from '../support/until.ts';
import { next, sessionsForTest } from '../support/zookeeper/session.ts';
import { sharedServer } from '../support/zookeeper/shared.ts';

/*
 * Bytes that make no sense, and lines that break at the worst moment. The bare client goes deaf, crashes the process,
 * or hangs; here it is one reconnect, and nothing is thrown outside (vitest fails on an uncaught exception).
 */
const SESSION_MS = 6_000;
const real = sharedServer();
const open = sessionsForTest();
const openProxy = proxiesForTest();
const proxied = () => openProxy(real);
const bytes = (text: string) => Buffer.from(text);

async function worksAgain(session: Session): Promise<void> {
  expect(await session.exists('/', { deadlineMs: SESSION_MS + 5_000 })).not.toBeNull();
  expect(session.state).toBe('connected');
}

/** A reply's header: length, xid, zxid, result code. */
function withCode(code: number): (frame: Buffer) => Buffer {
  return (frame) => {
    if (frame.readInt32BE(4) > 0) frame.writeInt32BE(code, 16);
    return frame;
  };
}

describe('a broken line', () => {
  it('is not what the end of our own session is logged as', async () => {
    const session = open(real.connect(), { sessionTimeoutMs: SESSION_MS });
    await session.connected();
    await session.close();
    const ends = () => session.told.lines.filter(({ msg }) => msg === 'zookeeper connection ended');
    await until('its end is logged', async () => ends().length > 0);
    expect(ends()).toEqual([expect.objectContaining({ level: 'debug', why: 'closed', words: 'closed by us' })]);
  });

  it('that cuts a reply in mid-frame costs one reconnect, and the read is answered', async () => {
    const path = await proxied();
    const session = open(path.connect, { sessionTimeoutMs: SESSION_MS });
    await session.create('/large', Buffer.alloc(900_000, 7), 'persistent');
    path.cutAfter(200_000);
    const found = await session.get('/large', { deadlineMs: SESSION_MS + 5_000 });
    expect(found?.data.equals(Buffer.alloc(900_000, 7))).toBe(true);
    expect(session.vitals().reconnects).toBe(1);
    await worksAgain(session);
  });

  it.each([
    ['a negative length', Buffer.from('fffffffc', 'hex')],
    ['a length beyond any reply', bytes('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['a reply nobody asked for', Buffer.from(`00000010${'00000999'}${'0'.repeat(16)}00000000`, 'hex')],
    ['a reply without a header', Buffer.from('0000000100', 'hex')],
    [
      'an event of an unknown type',
      Buffer.from(`0000001d${'ffffffff'}${'f'.repeat(16)}00000000${'00000063'}000000030000000120`, 'hex'),
    ],
  ])('that brings %s recovers', async (_what, garbage) => {
    const path = await proxied();
    const session = open(path.connect, { sessionTimeoutMs: SESSION_MS });
    await session.connected();
    path.inject(garbage);
    path.inject(garbage);
    await worksAgain(session);
  });

  it.each([-121, -999, 77])('that brings the result code %i answers with an error, and stays', async (code) => {
    const path = await proxied();
    const session = open(path.connect, { sessionTimeoutMs: SESSION_MS });
    await session.connected();
    path.rewrite(withCode(code));
    const answer = session.set('/', bytes(''), ANY_VERSION);
    await expect(answer).rejects.toMatchObject({ code: code === -121 ? 'NO_WATCHER' : 'UNKNOWN_CODE' });
    path.rewrite(undefined);
    await worksAgain(session);
    expect(session.vitals().reconnects).toBe(0);
  });

  it('that brings random bytes into the handshake is tried again until it is whole', async () => {
    const path = await proxied();
    let broken = 3;
    const liar = createServer((socket) => {
      socket.on('error', () => {}).resume();
      if (broken-- > 0) {
        socket.end(Buffer.from(`00000025${'ab'.repeat(37)}`, 'hex'));
        return;
      }
      socket.destroy();
    });
    await new Promise<void>((resolve) => liar.listen(0, '127.0.0.1', resolve));
    const { port } = liar.address() as { port: number };
    const session = open(`127.0.0.1:${port},${path.connect}`, { sessionTimeoutMs: SESSION_MS });
    await worksAgain(session);
    await new Promise((resolve) => liar.close(resolve));
  });

  it('that is cut a hundred times under load loses no answer and tells no lie', async () => {
    const path = await proxied();
    const backoff = { firstMs: 1, maxMs: 5 };
    const session = open(path.connect, { sessionTimeoutMs: SESSION_MS, backoff });
    await session.create('/counter', bytes('0'), 'persistent');
    let done = 0;
    for (let round = 0; round < 100; round++) {
      const before = await session.get('/counter', { deadlineMs: 10_000 });
      const { version } = before?.stat ?? { version: -2 };
      const set = session.set('/counter', bytes(`${version + 1} by round ${round}`), version, { deadlineMs: 10_000 });
      if (round % 2 === 0) path.cut();
      else path.cutAfter(round % 40);
      expect((await set).version).toBe(version + 1);
      done++;
    }
    expect((await session.get('/counter', { deadlineMs: 10_000 }))?.stat.version).toBe(done);
  });

  it('does not run what its listeners do on the client’s stack, and survives what they throw', async () => {
    const path = await proxied();
    const session = open(path.connect, { sessionTimeoutMs: SESSION_MS });
    session.onState(() => {
      throw new Error('a listener of ours is broken');
    });
    await session.connected();
    path.cut();
    await expect.poll(() => session.told.states.slice(-2), { timeout: 10_000 }).toEqual(['suspended', 'connected']);
    await worksAgain(session);
  });
});

describe('after a reconnect', () => {
  it('a change made meanwhile is seen, and a node made and removed meanwhile too', async () => {
    const path = await proxied();
    const session = open(path.connect, { sessionTimeoutMs: SESSION_MS });
    const writer = open(real.connect());
    await writer.create('/away', bytes('before'), 'persistent');
    const stop = new AbortController();
    const stream = session.watch('/away', { signal: stop.signal })[Symbol.asyncIterator]();
    const kids = session.watchChildren('/away', { signal: stop.signal })[Symbol.asyncIterator]();
    expect(await next(stream)).toMatchObject({ exists: true, data: bytes('before') });
    expect(await next(kids)).toMatchObject({ exists: true, names: [] });
    await path.mode('refuse');
    await writer.set('/away', bytes('while away'), 0);
    await writer.create('/away/child', bytes(''), 'persistent');
    await path.mode('pass');
    expect(await next(stream)).toMatchObject({ exists: true, data: bytes('while away') });
    expect(await next(kids)).toMatchObject({ exists: true, names: ['child'] });

    await path.mode('refuse');
    await writer.removeTree('/away');
    await path.mode('pass');
    expect(await next(stream)).toEqual({ exists: false });
    expect(await next(kids)).toEqual({ exists: false });
    await path.mode('refuse');
    await writer.create('/away', bytes('again'), 'persistent');
    await path.mode('pass');
    expect(await next(stream)).toMatchObject({ exists: true, data: bytes('again') });
    stop.abort();
  });

  it('a watch of which every event is lost still sees the change by its slow re-read', async () => {
    const path = await proxied();
    const session = open(path.connect, { sessionTimeoutMs: SESSION_MS });
    const writer = open(real.connect());
    await writer.create('/deaf', bytes('1'), 'persistent');
    const stop = new AbortController();
    const stream = session.watch('/deaf', { signal: stop.signal, resyncMs: 300 })[Symbol.asyncIterator]();
    await next(stream);
    path.rewrite((frame) => (frame.readInt32BE(4) === -1 ? Buffer.alloc(0) : frame));
    await writer.set('/deaf', bytes('2'), 0);
    expect(await next(stream)).toMatchObject({ exists: true, data: bytes('2') });
    expect(session.vitals().reconnects).toBe(0);
    stop.abort();
  });
});
