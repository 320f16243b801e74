import { spawnSync } from 'node:child_process';
import { lstatSync, readFileSync, writeFileSync } from 'node:fs';
import { get, type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, it, onTestFinished } from 'vitest';
import { systemClock as clock } from '../../../runtime/clock.ts';
import { openTokenFile } from '../../../runtime/secrets/token-file.ts';
import { createHandler } from '../../../serve/http/handler.ts';
import { listen } from '../../../serve/http/listen.ts';
import { createStream, type StreamBounds } from '../../../serve/http/stream.ts';
import { differenceOf } from '../../../serve/picture/difference.ts';
import { fold } from '../../../serve/picture/fold.ts';
import type { Picture, PictureListener, StateChange } from '../../../serve/picture/picture.ts';
import { agent, MIXED, NOW } from '../../publisher/fixtures.ts';
import { temporaryDirectory } from '../../support/git/origin.ts';
import { silentLog as log } from '../../support/log.ts';
import { until } from '../../support/until.ts';
import { seenOf } from '../picture/seen-of.ts';

const FRESH = { now: NOW, asOf: NOW, clock: 'ensemble', zookeeper: { state: 'connected', stale: null } } as const;
const TOKEN = 'a-token-that-is-long-enough';
const head = { app: '/app/shop', version: '0.1.0', links: [] };

/** A picture that changes when the test says so, served as `gitfleet serve` does. */
async function serving(bounds: StreamBounds = { all: 20, perAddress: 20 }, hasToken = false) {
  const seen = seenOf(MIXED);
  let change: StateChange = { sequence: 1, state: fold(seen, NOW), difference: null };
  const listeners = new Set<PictureListener>();
  const picture: Picture = {
    current: () => change,
    seen: () => seen,
    freshness: () => FRESH,
    listen(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
  const place = temporaryDirectory('serving');
  const file = join(place.path, 'token');
  writeFileSync(file, TOKEN, { mode: 0o600 });
  let now = 0;
  const token = hasToken ? await openTokenFile(file, { clock: { monotonic: () => now }, log }) : null;
  const stream = createStream({ picture, head, processId: 'abc', clock, bounds });
  const rules = { hosts: new Set<string>(), origins: new Set<string>(), userHeader: 'x-user', hasToken };
  const metrics = { contentType: 'text/plain', text: async () => 'gitfleet_server_streams 0\n' };
  const page = new Map([['/', { type: 'text/html', body: '<!doctype html>' }]]);
  const handle = createHandler({ picture, head, page, metrics, documents: new Map(), rules, token, stream, log });
  const socket = join(place.path, 'http.sock');
  const open = [await listen({ host: '127.0.0.1', port: 0 }, handle), await listen({ socket }, handle)];
  onTestFinished(async () => {
    stream.close();
    await Promise.all(open.map((each) => each.close()));
    place.remove();
  });
  const port = open[0]?.port as number;
  const change1 = (reason: string) => {
    const state = fold(seenOf([...MIXED, agent('web-99', { waitingFor: reason })]), NOW);
    const difference = differenceOf(change.state, state);
    change = { sequence: change.sequence + 1, state, difference };
    for (const listener of listeners) listener.changed(change);
  };
  return {
    port,
    socket,
    stream,
    url: `http://127.0.0.1:${port}`,
    change: change1,
    alive() {
      for (const listener of listeners) listener.alive(FRESH);
    },
    replaceToken(next: string) {
      writeFileSync(file, next);
      now += 1_000;
    },
  };
}

/** The names of the events so far, and the id of the last one. */
async function follow(url: string, headers: Record<string, string> = {}) {
  const answer = await new Promise<IncomingMessage>((resolve, reject) =>
    get(`${url}/api/v1/events`, { headers }, resolve).on('error', reject),
  );
  let read = '';
  answer.on('error', () => {});
  answer.setEncoding('utf8').on('data', (chunk: string) => {
    read += chunk;
  });
  const ended = new Promise<void>((resolve) => answer.on('close', resolve));
  onTestFinished(() => void answer.destroy());
  const matches = (pattern: RegExp) => [...read.matchAll(pattern)].map(([, found]) => found as string);
  return {
    status: answer.statusCode,
    ended,
    leave: () => answer.destroy(),
    events: () => matches(/^event: (\w+)$/gm),
    ids: () => matches(/^id: (.+)$/gm),
  };
}

const has = (client: Awaited<ReturnType<typeof follow>>, ...events: string[]) =>
  until(`the events ${events.join(', ')}`, async () => client.events().join() === events.join() || null);

it('a client gets the whole state, that it is complete, what changes, and a sign of life', async () => {
  const server = await serving();
  const client = await follow(server.url);
  await has(client, 'snapshot', 'synced');
  server.change('a lease');
  server.alive();
  await has(client, 'snapshot', 'synced', 'delta', 'alive');
  expect(client.ids()).toEqual(['abc-1', 'abc-2']);
});

it('a client that was away gets what it missed, and a snapshot if that is not known', async () => {
  const server = await serving();
  const first = await follow(server.url);
  await has(first, 'snapshot', 'synced');
  first.leave();
  server.change('one');
  server.change('two');
  await has(await follow(server.url, { 'last-event-id': 'abc-1' }), 'delta', 'delta', 'synced');
  await has(await follow(server.url, { 'last-event-id': 'abc-3' }), 'synced');
  await has(await follow(server.url, { 'last-event-id': 'xyz-1' }), 'snapshot', 'synced');
});

it('no more clients than the bounds, in all and for one address; those that leave make room', async () => {
  const server = await serving({ all: 3, perAddress: 2 });
  const [one, two] = [await follow(server.url), await follow(server.url)];
  expect((await follow(server.url)).status).toBe(503);
  // A proxy has bounds of its own; all its users have one address.
  const viaProxy = await new Promise<IncomingMessage>((resolve) =>
    get(
      { socketPath: server.socket, path: '/api/v1/events', headers: { 'x-user': 'ann', host: 'localhost' } },
      resolve,
    ),
  );
  onTestFinished(() => void viaProxy.destroy());
  expect(viaProxy.statusCode).toBe(200);
  one.leave();
  two.leave();
  await until('room', async () => server.stream.count() === 1 || null);
  expect((await follow(server.url)).status).toBe(200);
});

it('a thousand clients at once: those beyond the bound are refused, and the others go on', async () => {
  const server = await serving({ all: 10, perAddress: 10 });
  const first = await follow(server.url);
  const many = await Promise.all(
    Array.from({ length: 1_000 }, () =>
      follow(server.url).then(
        ({ status }) => status,
        () => 0,
      ),
    ),
  );
  expect(many.filter((status) => status === 200)).toHaveLength(9);
  expect(many.filter((status) => status === 503).length).toBeGreaterThan(500);
  server.change('still here');
  await has(first, 'snapshot', 'synced', 'delta');
  expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
});

it('a client that does not read is ended, and holds back nobody', async () => {
  const server = await serving();
  const slow = connect(server.port, '127.0.0.1');
  slow.write('GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n');
  slow.pause();
  slow.on('error', () => {});
  const closed = new Promise((resolve) => slow.on('close', resolve));
  const quick = await follow(server.url);
  await until('both', async () => server.stream.count() === 2 || null);
  let sent = 0;
  await until('the slow one is ended', async () => {
    for (let n = 0; n < 500; n += 1) {
      sent += 1;
      server.change(`${sent} ${'x'.repeat(290)}`);
    }
    return server.stream.count() === 1 || null;
  });
  await until('the quick one has all', async () => quick.ids().at(-1) === `abc-${sent + 1}` || null);
  slow.destroy();
  await closed;
});

it('a new token ends the streams of the old one within a sign of life, and lets nobody in with it', async () => {
  const server = await serving(undefined, true);
  const old = { authorization: `Bearer ${TOKEN}` };
  const client = await follow(server.url, old);
  await has(client, 'snapshot', 'synced');
  server.replaceToken('another-token-that-is-long-enough');
  expect((await fetch(`${server.url}/api/v1/status`, { headers: old })).status).toBe(401);
  server.alive();
  await client.ended;
  expect((await follow(server.url, old)).status).toBe(401);
  expect((await follow(server.url, { authorization: 'Bearer another-token-that-is-long-enough' })).status).toBe(200);
});

it.each([
  ['/api/v1/status', {}, 401],
  ['/api/v1/status', { authorization: 'Bearer ' }, 401],
  ['/api/v1/status', { authorization: `Bearer ${TOKEN}x` }, 401],
  ['/api/v1/status', { authorization: `Basic ${TOKEN}` }, 401],
  ['/api/v1/status', { authorization: TOKEN }, 401],
  [`/api/v1/status?token=${TOKEN}`, {}, 401],
  ['/api/v1/status', { 'x-user': 'ann' }, 401],
  ['/metrics', {}, 401],
  ['/api/v1/openapi.json', {}, 401],
  ['/api/v1/status', { authorization: `Bearer ${TOKEN}` }, 200],
  ['/metrics', { authorization: `Bearer ${TOKEN}` }, 200],
  ['/healthz', {}, 200],
  ['/', {}, 200],
  ['/api/v1/status', { host: 'evil.example.com', authorization: `Bearer ${TOKEN}` }, 421],
  ['/api/v1/status', { origin: 'https://evil.example.com', authorization: `Bearer ${TOKEN}` }, 403],
  ['/..%2f..%2fetc/passwd', { authorization: `Bearer ${TOKEN}` }, 404],
])(
  'with a token set, %s with %j is answered with %i, and every answer has the headers',
  async (path, headers, status) => {
    const { port } = await serving(undefined, true);
    const answer = await new Promise<IncomingMessage>((resolve, reject) =>
      request({ host: '127.0.0.1', port, path, headers }, resolve).on('error', reject).end(),
    );
    const body = await text(answer);
    expect(answer.statusCode).toBe(status);
    expect(body).not.toContain(TOKEN);
    expect(answer.headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store',
      'content-security-policy': expect.stringMatching(/^default-src 'none';.*frame-ancestors 'none'/),
    });
  },
);

it.each([
  ['POST', 'content-length: 2000000\r\n\r\n'],
  ['GET', 'transfer-encoding: chunked\r\n\r\nfffff\r\n'],
])('what a client sends with %s is dropped, and takes no memory', async (method, rest) => {
  const { port } = await serving();
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write(`${method} /api/v1/status HTTP/1.1\r\nHost: localhost\r\n${rest}`);
  socket.write('x'.repeat(100_000));
  const [first] = (await new Promise<Buffer>((resolve) => socket.once('data', resolve))).toString().split('\r\n');
  expect(first).toMatch(method === 'POST' ? / 405 / : / 200 /);
  socket.destroy();
});

it('takes the place of a socket that a killed server left, and of no other file', async () => {
  const place = temporaryDirectory('socket');
  onTestFinished(() => place.remove());
  const precious = join(place.path, 'precious');
  writeFileSync(precious, 'kept');
  await expect(listen({ socket: precious }, async () => {})).rejects.toMatchObject({ code: 'EADDRINUSE' });
  expect(readFileSync(precious, 'utf8')).toBe('kept');
  const socket = join(place.path, 'left.sock');
  const script = `require('net').createServer().listen(${JSON.stringify(socket)}, () => process.kill(process.pid, 9))`;
  spawnSync(process.execPath, ['-e', script]);
  expect(lstatSync(socket).isSocket()).toBe(true);
  await (await listen({ socket }, async () => {})).close();
});
