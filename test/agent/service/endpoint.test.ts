import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, it, onTestFinished } from 'vitest';
import { openEndpoint } from '../../../agent/service/endpoint.ts';
import { silentLog } from '../../support/log.ts';

async function statusFor(host: string): Promise<number> {
  const endpoint = await openEndpoint({
    listen: { host: '127.0.0.1', port: 0 },
    health: () => ({ alive: true }),
    metrics: { contentType: 'text/plain', text: async () => '' },
    more: async () => false,
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
