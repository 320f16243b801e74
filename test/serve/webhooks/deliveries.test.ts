import { createHmac } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLog } from '../../../runtime/log.ts';
import { webhooks } from '../../../schemas/settings/serve-webhooks-settings.ts';
import type { ForgeKind } from '../../../serve/forges/repository.ts';
import { EVENT_HEADER } from '../../../serve/webhooks/payload.ts';
import { openReceiver, type Receiver } from '../../../serve/webhooks/receiver.ts';
import { isSigned, isWeak } from '../../../serve/webhooks/signature.ts';

/** Shapes as the forges document them; only the members that are read, and some that are not. */
const COMMIT = 'a'.repeat(40);
const ZEROS = '0'.repeat(40);
const SECRET = 'correct-horse-battery';
const KEY = `whsec_${Buffer.from('k'.repeat(24)).toString('base64')}`;

interface Said {
  readonly path?: string;
  readonly branch?: string;
  readonly deleted?: boolean;
}

const hub = ({ path = 'acme/shop', branch = 'main', deleted = false }: Said) => ({
  ref: `refs/heads/${branch}`,
  after: deleted ? ZEROS : COMMIT,
  deleted,
  repository: { full_name: path, fork: false },
});
const BODIES: Readonly<Record<ForgeKind, (said: Said) => object>> = {
  github: hub,
  gitea: ({ deleted: _, ...said }) => hub(said),
  gitlab: ({ path = 'acme/shop', branch = 'main', deleted = false }) => ({
    object_kind: 'push',
    ref: `refs/heads/${branch}`,
    after: deleted ? ZEROS : COMMIT,
    project: { path_with_namespace: path },
  }),
  bitbucket: ({ path = 'acme/shop', branch = 'main', deleted = false }) => ({
    repository: { full_name: path },
    push: { changes: [{ new: deleted ? null : { type: 'branch', name: branch } }] },
  }),
};
const PUSH: Readonly<Record<ForgeKind, string>> = {
  github: 'push',
  gitea: 'push',
  gitlab: 'Push Hook',
  bitbucket: 'repo:push',
};
const hex = (body: Buffer, secret: string) => createHmac('sha256', secret).update(body).digest('hex');
const SIGN: Readonly<Record<ForgeKind, (body: Buffer, secret: string) => [string, string]>> = {
  github: (body, secret) => ['X-Hub-Signature-256', `sha256=${hex(body, secret)}`],
  gitea: (body, secret) => ['X-Gitea-Signature', hex(body, secret)],
  gitlab: (_, secret) => ['X-Gitlab-Token', secret],
  bitbucket: (body, secret) => ['X-Hub-Signature', `sha256=${hex(body, secret)}`],
};
const FORGES = Object.keys(PUSH) as ForgeKind[];
const bodyOf = (forge: ForgeKind, said: Said = {}) => Buffer.from(JSON.stringify(BODIES[forge](said)));

it('outlives an error of its server after it listens', async () => {
  let server: Server | undefined;
  const create = ((...given: Parameters<typeof createServer>) => {
    server = createServer(...given);
    return server;
  }) as typeof createServer;
  const parts = { clock: { now: () => 0 }, log: createLog({ level: 'silent' }) };
  const receiver = await openReceiver({ host: '127.0.0.1', port: 0 }, [], parts, 300, create);
  for (let n = 0; n < 2; n += 1) expect(server?.emit('error', new Error('EMFILE'))).toBe(true);
  expect((await fetch(`http://127.0.0.1:${receiver.port}/hook/x`)).status).toBe(404);
  await receiver.close();
});

it.each([
  ['https://git.example/acme/%ff', false],
  ['https://git.example/acme/%E0%A4', false],
  ['https://git.example/acme/a%20b', true],
])('an installation of %s is taken: %s', (url, isTaken) => {
  const installations = [{ name: 'shop', forge: 'github', url, relativePath: 'shop' }];
  expect(webhooks().safeParse({ installations }).success).toBe(isTaken);
});

describe('a signature', () => {
  it.each(FORGES)('of %s counts with any of the secrets, and with no bit flipped', (forge) => {
    const body = bodyOf(forge);
    const [name, value] = SIGN[forge](body, SECRET);
    const judge = (rawHeaders: string[], bytes = body, secrets = ['another', SECRET]) =>
      isSigned(forge, secrets, { rawHeaders, body: bytes, now: 0 });
    expect(judge([name, value])).toBe(true);
    expect(judge([name, value], body, ['another'])).toBe(false);
    expect(judge([name, value], body, [])).toBe(false);
    expect(judge([])).toBe(false);
    expect(judge([name, ''])).toBe(false);
    expect(judge([name, value.slice(0, -1)])).toBe(false);
    expect(judge([name, value.toUpperCase()])).toBe(false);
    expect(judge([name, value, name.toLowerCase(), value])).toBe(false);
    for (let bit = 0; bit < value.length * 8; bit += 1) {
      const flipped = Buffer.from(value, 'latin1');
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(judge([name, flipped.toString('latin1')])).toBe(false);
    }
    // GitLab's token proves nothing about the body.
    if (forge === 'gitlab') return;
    for (let bit = 0; bit < body.length * 8; bit += 7) {
      const flipped = Buffer.from(body);
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(judge([name, value], flipped)).toBe(false);
    }
  });

  it('by Standard Webhooks covers id, time and body, is not older than five minutes, and a token does not replace it', () => {
    const body = bodyOf('gitlab');
    const key = Buffer.from('k'.repeat(24));
    const right = `v1,${createHmac('sha256', key).update('m-1.1000.').update(body).digest('base64')}`;
    const judge = (signatures: string, id = 'm-1', now = 1_000_000, bytes = body) => {
      const rawHeaders = ['webhook-id', id, 'webhook-timestamp', '1000', 'webhook-signature', signatures];
      return isSigned('gitlab', [KEY], { rawHeaders, body: bytes, now });
    };
    expect(judge(right)).toBe(true);
    expect(judge(`v1,AAAA ${right}`)).toBe(true);
    expect(judge(right, 'm-2')).toBe(false);
    expect(judge(right, 'm-1', 1_000_000 + 300_001)).toBe(false);
    expect(judge(right, 'm-1', 1_000_000, Buffer.from('{}'))).toBe(false);
    expect(judge(right.slice(3))).toBe(false);
    expect(isSigned('gitlab', [KEY], { rawHeaders: ['X-Gitlab-Token', KEY], body, now: 0 })).toBe(false);
  });
});

describe('a secret', () => {
  it.each([
    ['', true],
    ['fifteen-letters', true],
    ['sixteen-letters!', false],
    ['whsec_', true],
    ['whsec_!!!!!!!!!!!!!!!!!!!!!!!!', true],
    [`whsec_${Buffer.alloc(15).toString('base64')}`, true],
    [`whsec_${Buffer.alloc(16).toString('base64')}`, false],
  ])('%j can be guessed: %s', (secret, weak) => {
    expect(isWeak(secret)).toBe(weak);
  });
});

describe('a receiver', () => {
  let receiver: Receiver;
  let rings = 0;
  beforeAll(async () => {
    const installation = (forge: ForgeKind) => ({
      name: forge,
      forge,
      url: 'https://git.example.com/acme/shop.git',
      branch: 'main',
      secrets: async () => [SECRET],
      ring: () => {
        rings += 1;
      },
    });
    const parts = { clock: { now: () => 0 }, log: createLog({ level: 'silent' }) };
    receiver = await openReceiver({ host: '127.0.0.1', port: 0 }, FORGES.map(installation), parts, 300);
  });
  afterAll(() => receiver.close());

  async function deliver(forge: ForgeKind, body: Buffer, more: Record<string, string> = {}, path = `/hook/${forge}`) {
    const [name, value] = SIGN[forge](body, SECRET);
    const headers = { 'content-type': 'application/json', [EVENT_HEADER[forge]]: PUSH[forge], [name]: value, ...more };
    const before = rings;
    const url = `http://127.0.0.1:${receiver.port}${path}`;
    const { status } = await fetch(url, { method: 'POST', headers, body: new Uint8Array(body) });
    return [status, rings - before];
  }

  it.each(FORGES)('of %s rings for a push of its branch alone', async (forge) => {
    expect(await deliver(forge, bodyOf(forge))).toEqual([202, 1]);
    expect(await deliver(forge, bodyOf(forge, { path: 'Acme/Shop' }))).toEqual([202, 1]);
    expect(await deliver(forge, bodyOf(forge, { path: 'thief/shop' }))).toEqual([204, 0]);
    expect(await deliver(forge, bodyOf(forge, { branch: 'main2' }))).toEqual([204, 0]);
    expect(await deliver(forge, bodyOf(forge), { [EVENT_HEADER[forge]]: 'ping' })).toEqual([204, 0]);
    if (forge !== 'gitea') expect(await deliver(forge, bodyOf(forge, { deleted: true }))).toEqual([204, 0]);
    expect(await deliver(forge, Buffer.from('{'))).toEqual([400, 0]);
    expect(await deliver(forge, Buffer.from('[]'))).toEqual([400, 0]);
    const [name] = SIGN[forge](Buffer.alloc(0), SECRET);
    expect(await deliver(forge, bodyOf(forge), { [name]: 'wrong' })).toEqual([401, 0]);
  });

  it('refuses other paths, methods, types and compression', async () => {
    const body = bodyOf('github');
    expect(await deliver('github', body, {}, '/hook/nobody')).toEqual([404, 0]);
    expect(await deliver('github', body, {}, '/hook/../hook/..%2fgithub')).toEqual([404, 0]);
    expect(await deliver('github', body, { 'content-type': 'application/x-www-form-urlencoded' })).toEqual([415, 0]);
    expect(await deliver('github', gzipSync(Buffer.alloc(1e6)), { 'content-encoding': 'gzip' })).toEqual([415, 0]);
    expect((await fetch(`http://127.0.0.1:${receiver.port}/hook/github`)).status).toBe(405);
  });

  it('takes 1 MiB and not a byte more, declared or not', async () => {
    const padded = (size: number) => Buffer.concat([bodyOf('github'), Buffer.alloc(size, ' ')]).subarray(0, size);
    expect(await deliver('github', padded(1024 * 1024))).toEqual([202, 1]);
    expect((await raw('content-length: 1048577', '')).split('\r\n')[0]).toContain('413');
    const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`;
    expect((await raw('transfer-encoding: chunked', chunk.repeat(17))).split('\r\n')[0]).toContain('413');
  });

  it('ends what is slow to arrive, headers or body', async () => {
    expect(await raw('content-length: 10', 'x')).toContain('408');
    expect(await raw('x-slow: 1', null)).toContain('408');
  });

  /** @param body null: the headers do not end. */
  function raw(header: string, body: string | null): Promise<string> {
    return new Promise((resolve) => {
      const socket = connect(receiver.port, '127.0.0.1');
      let said = '';
      socket.setEncoding('utf8').on('data', (text: string) => {
        said += text;
      });
      socket.on('error', () => {});
      socket.on('close', () => resolve(said));
      const head = `POST /hook/github HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n${header}\r\n`;
      socket.write(body === null ? head : `${head}\r\n${body}`);
    });
  }
});
