import { request } from 'node:http';
import { expect, it, onTestFinished } from 'vitest';
import { openEndpoint } from '../../../agent/service/endpoint.ts';
import { silentLog } from '../../support/log.ts';

async function statusFor(host: string | undefined): Promise<number> {
  const endpoint = await openEndpoint({
    listen: { host: '127.0.0.1', port: 0 },
    health: () => ({ alive: true }),
    metrics: { contentType: 'text/plain', text: async () => '' },
    log: silentLog,
  });
  onTestFinished(() => endpoint.close());
  return await new Promise((resolve, reject) => {
    const headers = host === undefined ? {} : { host };
    const asked = request({ port: endpoint.port, path: '/healthz', headers, agent: false }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    asked.on('error', reject);
    asked.end();
  });
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
