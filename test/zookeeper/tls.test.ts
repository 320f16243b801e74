import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LocalServers } from '../../zookeeper/local/servers.ts';
import type { TlsMaterial } from '../../zookeeper/open-session.ts';
import { type Authority, type Certificate, makeAuthority } from '../support/certificates.ts';
import { expire, next, sessionsForTest } from '../support/zookeeper/session.ts';
import { startServersForTest } from '../support/zookeeper/start.ts';

/* The server's own secure port, which demands a certificate of every client. */
const open = sessionsForTest();
const wide = { timeout: 20_000 };
const backoff = { firstMs: 10, maxMs: 100 };
let folder: string;
let authority: Authority;
let client: Certificate;
let servers: LocalServers;
let secure: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gitfleet-tls-'));
  authority = makeAuthority(folder);
  client = authority.issue('agent');
  const server = authority.issue('server');
  const port = await freePort();
  secure = `127.0.0.1:${port}`;
  servers = await startServersForTest(1, folder, {
    config: {
      secureClientPort: port,
      secureClientPortAddress: '127.0.0.1',
      serverCnxnFactory: 'org.apache.zookeeper.server.NettyServerCnxnFactory',
      'ssl.keyStore.location': server.storeFile,
      'ssl.keyStore.type': 'PEM',
      'ssl.trustStore.location': authority.caFile,
      'ssl.trustStore.type': 'PEM',
      'ssl.clientAuth': 'need',
      'ssl.hostnameVerification': 'false',
    },
  });
});
afterAll(async () => {
  await servers?.stop();
  await rm(folder, { recursive: true, force: true });
});

const mutual = (): TlsMaterial => ({ ca: authority.ca, cert: client.cert, key: client.key });

describe('mutual TLS', () => {
  it('carries a session with its watches over reconnect and expiry', async () => {
    const session = open(secure, { tls: mutual(), backoff });
    await session.create('/tls', Buffer.from('1'), 'persistent');
    const stop = new AbortController();
    const stream = session.watch('/tls', { signal: stop.signal })[Symbol.asyncIterator]();
    await next(stream);
    await expire(session, servers.connectString);
    await expect.poll(() => session.vitals().generation, wide).toBe(2);
    await servers.servers[0]?.restart();
    await session.set('/tls', Buffer.from('2'), 0, { deadlineMs: 20_000 });
    expect(await next(stream)).toMatchObject({ exists: true, data: Buffer.from('2') });
    stop.abort();
  });

  it('lets access lists name the certificate', async () => {
    const session = open(secure, { tls: mutual(), backoff });
    const acl = [{ scheme: 'x509', id: 'CN=agent', permissions: 'cdrwa' }];
    await session.create('/by-certificate', Buffer.from('1'), 'persistent', { acl });
    expect((await session.get('/by-certificate'))?.data.toString()).toBe('1');
    await expect(open(servers.connectString).get('/by-certificate')).rejects.toMatchObject({ code: 'NO_AUTH' });
  });

  it('refuses a server of another authority, one of another name, and a client without certificate, with the reason', async () => {
    const foreign = makeAuthority(folder, 'foreign');
    const cases: [TlsMaterial, RegExp][] = [
      [{ ...mutual(), ca: foreign.ca }, /self.signed|unable to verify|issuer/i],
      [{ ...mutual(), servername: 'elsewhere.example' }, /altnames|host/i],
      [{ ca: authority.ca }, /hung up|alert|handshake|ECONNRESET/i],
    ];
    for (const [tls, words] of cases) {
      const session = open(secure, { tls, backoff });
      const refused = session.get('/', { deadlineMs: 1_500 });
      await expect(refused).rejects.toMatchObject({
        code: 'DEADLINE',
        outcome: 'none',
        message: expect.stringMatching(words),
      });
      expect(session.state).toBe('connecting');
    }
  });

  it('takes a certificate that was renewed in place at its next connection, and bridges files that are half written', async () => {
    const next = makeAuthority(folder, 'next');
    let now = mutual();
    const session = open(secure, { tls: now, renewCredentials: async () => ({ auth: [], tls: now }), backoff });
    await session.get('/');
    const { generation } = session.vitals();
    now = { ...now, key: 'half a k' };
    await servers.servers[0]?.restart();
    await session.get('/', { deadlineMs: 20_000 });
    expect(session.told.lines).toContainEqual(
      expect.objectContaining({ msg: expect.stringMatching(/^cannot renew .* using the last ones$/) }),
    );
    // From here on the server takes only what the next authority signed.
    await writeFile(authority.caFile, next.ca);
    const renewed = next.issue('agent');
    now = { ca: authority.ca, cert: renewed.cert, key: renewed.key };
    await servers.servers[0]?.restart();
    try {
      await session.get('/', { deadlineMs: 20_000 });
      expect(session.vitals().generation).toBe(generation);
    } finally {
      await writeFile(authority.caFile, authority.ca);
      await servers.servers[0]?.restart();
    }
  });

  it('refuses material that can never work at once', () => {
    expect(() => open(secure, { tls: { ...mutual(), key: 'no key' } })).toThrow(
      expect.objectContaining({ code: 'BAD_TLS', next: 'stall' }),
    );
  });
});

async function freePort(): Promise<number> {
  const listener = createServer();
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const { port } = listener.address() as { port: number };
  await new Promise((resolve) => listener.close(resolve));
  return port;
}
