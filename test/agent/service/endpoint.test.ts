import { chmodSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, it, onTestFinished } from 'vitest';
import { openEndpoint } from '../../../agent/service/endpoint.ts';
import { openTokenFile } from '../../../runtime/secrets/token-file.ts';
import { temporaryDirectory } from '../../support/git/origin.ts';
import { silentLog } from '../../support/log.ts';

async function statusFor(host: string): Promise<number> {
  const endpoint = await openEndpoint({
    listen: { host: '127.0.0.1', port: 0 },
    health: () => ({ alive: true }),
    metrics: { contentType: 'text/plain', text: async () => '' },
    more: async () => false,
    token: null,
    log: silentLog,
  });
  onTestFinished(() => endpoint.close());
  // Byte by byte: a client of Node puts a name of its own where the header is empty.
  const socket = connect(endpoint.port, '127.0.0.1');
  socket.end(`GET /healthz HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  return Number(/^HTTP\/1\.1 (\d{3}) /.exec(await text(socket))?.[1]);
}

it.each([
  ['127.0.0.1:9464', 200],
  ['localhost', 200],
  ['[::1]:9464', 200],
  ['10.0.0.7', 200],
  ['evil.example.com', 403],
  ['127.0.0.1.evil.example.com:9464', 403],
  ['', 403],
])('a request to the host %j is answered with %i', async (host, status) => {
  expect(await statusFor(host)).toBe(status);
});

it('with a token, answers only who presents it, by whatever name, and others no more than whether it is alive', async () => {
  const place = temporaryDirectory('token');
  onTestFinished(place.remove);
  const file = join(place.path, 'token');
  let now = 0;
  writeFileSync(file, 'the-first-token-of-this-agent\n', { mode: 0o600 });
  const endpoint = await openEndpoint({
    listen: { host: '127.0.0.1', port: 0 },
    health: () => ({ alive: true, doing: 'serves 1234' }),
    metrics: { contentType: 'text/plain', text: async () => 'gitfleet_settled 1' },
    more: async (_path, request, response) => {
      response.end(`read ${await text(request)}`);
      return true;
    },
    token: await openTokenFile(file, { clock: { monotonic: () => now }, log: silentLog }),
    log: silentLog,
  });
  onTestFinished(() => endpoint.close());
  const ask = async (path: string, token: string | null, init: RequestInit = {}) => {
    const headers: Record<string, string> = token === null ? {} : { authorization: `Bearer ${token}` };
    const answer = await fetch(`http://127.0.0.1:${endpoint.port}${path}`, { ...init, headers });
    return [answer.status, (await answer.text()).trim()];
  };
  const right = 'the-first-token-of-this-agent';
  expect(await ask('/metrics', right)).toEqual([200, 'gitfleet_settled 1']);
  expect(await ask('/ofrep', right, { method: 'POST', body: 'a body' })).toEqual([200, 'read a body']);
  for (const wrong of [null, '', `${right}x`, right.slice(1), right.toUpperCase()]) {
    for (const path of ['/metrics', '/ofrep', '/v1/services/a/b', '/healthz?x', '//healthz'])
      expect((await ask(path, wrong))[0], `${path} with ${wrong}`).toBe(401);
    expect(await ask('/healthz', wrong)).toEqual([200, '{"alive":true}']);
  }
  writeFileSync(file, 'the-second-token-of-this-agent\n');
  now += 600;
  expect((await ask('/metrics', right))[0]).toBe(401);
  expect((await ask('/metrics', 'the-second-token-of-this-agent'))[0]).toBe(200);
  chmodSync(file, 0o644);
  now += 600;
  expect((await ask('/metrics', 'the-second-token-of-this-agent'))[0]).toBe(401);
});
