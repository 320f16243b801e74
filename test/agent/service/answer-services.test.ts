import { get } from 'node:http';
import { expect, it, onTestFinished } from 'vitest';
import { answerServices } from '../../../agent/service/answer-services.ts';
import { openEndpoint } from '../../../agent/service/endpoint.ts';
import { systemClock as clock, systemRandom as random } from '../../../runtime/clock.ts';
import { openServiceAccess } from '../../../services/access.ts';
import { encodeRegistration, serviceZnodes } from '../../../services/contract.ts';
import { followLists } from '../../../services/followed-lists.ts';
import { makeService } from '../../../services/make-service.ts';
import { silentLog as log } from '../../support/log.ts';
import { fakeKit } from '../../support/zookeeper/kit.ts';

const kit = fakeKit();
const paths = serviceZnodes('shop/web');

async function served() {
  const session = kit.open(kit.connect());
  for (const path of ['/service', '/service-fleet']) await session.removeTree(path);
  await makeService(session, 'shop/web', openServiceAccess);
  const add = (host: string) =>
    session.create(paths.registration(host), encodeRegistration({ host, port: 80 }), 'ephemeral');
  await add('10.0.0.1');
  const line = await kit.openLine();
  const lists = followLists({ session: kit.open(line.connect), clock, random, log });
  const endpoint = await openEndpoint({
    token: null,
    listen: { host: '127.0.0.1', port: 0 },
    health: () => ({ alive: true }),
    metrics: { contentType: 'text/plain', text: async () => '' },
    more: (...asked) => answerServices(...asked, lists, clock),
    log,
  });
  onTestFinished(async () => {
    await endpoint.close();
    await lists.close();
  });
  function ask(path: string, headers: Record<string, string> = {}, method = 'GET') {
    return new Promise<{ status: number; etag: string; body: string }>((resolve, reject) => {
      const request = get({ host: '127.0.0.1', port: endpoint.port, path, headers, method, agent: false }, (answer) => {
        let body = '';
        answer.setEncoding('utf8').on('data', (text: string) => {
          body += text;
        });
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, etag: String(answer.headers.etag), body }));
      });
      request.on('error', reject);
    });
  }
  return { session, add, ask, line, lists };
}

it('lets 200 requests wait at a time, and answers the others at once', { timeout: 30_000 }, async () => {
  const { ask, add, lists } = await served();
  const { etag } = await ask('/v1/services/shop/web');
  const waits = () => ask('/v1/services/shop/web?wait=60s', { 'if-none-match': etag });
  const waiting = Array.from({ length: 200 }, waits);
  await expect.poll(() => lists.mayWait(), { timeout: 10_000 }).toBe(false);
  expect((await waits()).status).toBe(503);
  expect((await ask('/v1/services/shop/web')).status).toBe(200);
  await add('10.0.0.2');
  const answers = await Promise.all(waiting);
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  expect((await ask('/v1/services/shop/web?wait=1s')).status).toBe(200);
});

it('answers a list, and 304 where it is the one that is known', async () => {
  const { ask, add } = await served();
  const first = await ask('/v1/services/shop/web');
  expect(first.status).toBe(200);
  expect(JSON.parse(first.body)).toEqual({
    service: 'shop/web',
    state: 'live',
    instances: [{ name: '10.0.0.1', host: '10.0.0.1', port: 80 }],
  });
  const known = { 'if-none-match': first.etag };
  expect(await ask('/v1/services/shop/web', known)).toMatchObject({ status: 304, body: '' });
  await add('10.0.0.2');
  await expect.poll(async () => (await ask('/v1/services/shop/web', known)).status).toBe(200);
});

it('waits for a change, and no longer than it is asked to', async () => {
  const { ask, add } = await served();
  const { etag } = await ask('/v1/services/shop/web');
  const known = { 'if-none-match': etag };
  const begun = performance.now();
  expect((await ask('/v1/services/shop/web?wait=200ms', known)).status).toBe(304);
  expect(performance.now() - begun).toBeGreaterThanOrEqual(199);
  const waiting = ask('/v1/services/shop/web?wait=30s', known);
  await clock.sleep(100);
  await add('10.0.0.2');
  const changed = await waiting;
  expect([changed.status, JSON.parse(changed.body).instances.length]).toEqual([200, 2]);
  // Without a list that is known there is nothing to wait for.
  expect((await ask('/v1/services/shop/web?wait=5m')).status).toBe(200);
});

it('answers Prometheus in its form, also where there is no such service', async () => {
  const { ask } = await served();
  const { status, body } = await ask('/v1/prometheus/shop/web');
  expect([status, JSON.parse(body)]).toEqual([200, [{ targets: ['10.0.0.1:80'], labels: { service: 'shop/web' } }]]);
  expect(await ask('/v1/prometheus/no/such')).toMatchObject({ status: 200, body: '[]\n' });
  expect(JSON.parse((await ask('/v1/services/no/such')).body)).toMatchObject({ state: 'missing', instances: [] });
});

it('answers the last list while ZooKeeper is away, and says where it has none', async () => {
  const { ask, line } = await served();
  const { etag } = await ask('/v1/services/shop/web');
  await line.mode('refuse');
  expect(await ask('/v1/services/shop/web')).toMatchObject({ status: 200, etag });
  expect((await ask('/v1/services/shop/other')).status).toBe(503);
});

it.each([
  ['/v1/services/shop', 'GET', 400],
  ['/v1/services/shop/web/more', 'GET', 400],
  ['/v1/services/..%2f..%2fzookeeper', 'GET', 400],
  ['/v1/services/shop/web?wait=1d', 'GET', 400],
  ['/v1/services/shop/web', 'POST', 405],
  ['/v1/other', 'GET', 404],
])('%s by %s is answered with %i', async (path, method, status) => {
  const { ask } = await served();
  expect((await ask(path, {}, method)).status).toBe(status);
});

it('is asked by address or as localhost alone', async () => {
  const { ask } = await served();
  expect((await ask('/v1/services/shop/web', { host: 'evil.example.com' })).status).toBe(403);
});

it('follows at most 100 services', async () => {
  const { ask } = await served();
  const all = await Promise.all(Array.from({ length: 101 }, (_, at) => ask(`/v1/services/s/n${at}`)));
  expect(all.filter(({ status }) => status === 200)).toHaveLength(100);
  expect(all.filter(({ status }) => status === 503)).toHaveLength(1);
});
