import { readFile, realpath } from 'node:fs/promises';
import { Agent, createServer, get, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { encodePolicy, policy } from '../../../schemas/policy.ts';
import { ANY_VERSION } from '../../../zookeeper/session.ts';
import { shownCommit, TestFleet } from '../../support/fleet.ts';
import { until } from '../../support/until.ts';
import { sharedServer } from '../../support/zookeeper/shared.ts';

const servers = sharedServer();
const services: Server[] = [];
let fleet: TestFleet;
afterEach(async () => {
  for (const service of services.splice(0)) service.close();
  await fleet.stop();
});

const FILES = Array.from({ length: 12 }, (_, at) => `pages/${at}.txt`);
const tree = (word: string, status = '200') => ({
  ...Object.fromEntries(FILES.map((file) => [file, word])),
  status,
});

/** Beside each agent: resolves the link once per request, as a server does that must not mix, and reads several files. */
async function startService(root: () => string): Promise<string> {
  const service = createServer(async (request, answer) => {
    try {
      const release = await realpath(join(root(), 'shop'));
      if (request.url === '/up') answer.statusCode = Number(await readFile(join(release, 'status'), 'utf8'));
      const words = await Promise.all(FILES.map((file) => readFile(join(release, file), 'utf8')));
      answer.end([...new Set(words)].join(' '));
    } catch {
      answer.statusCode = 503;
      answer.end();
    }
  });
  services.push(service);
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(service.address() as AddressInfo).port}`;
}

interface Load {
  readonly served: Map<string, number>;
  failed: number;
  stop(): Promise<void>;
}

/** One request after the other to each url, without pause. */
function startLoad(urls: readonly string[]): Load {
  const agent = new Agent({ keepAlive: true });
  const load = { served: new Map<string, number>(), failed: 0 };
  let over = false;
  const ask = (url: string) =>
    new Promise<void>((resolve) => {
      const failed = () => {
        load.failed += 1;
        resolve();
      };
      const asked = get(`${url}/page`, { agent }, async (answer) => {
        const chunks: Buffer[] = [];
        for await (const chunk of answer) chunks.push(chunk);
        const words = Buffer.concat(chunks).toString('utf8');
        if (answer.statusCode !== 200) return failed();
        load.served.set(words, (load.served.get(words) ?? 0) + 1);
        resolve();
      });
      asked.on('error', failed);
    });
  const running = urls.map(async (url) => {
    while (!over) await ask(url);
  });
  return Object.assign(load, {
    async stop() {
      over = true;
      await Promise.all(running);
      agent.destroy();
    },
  });
}

it('serves whole trees only, while good and bad releases roll over three servers with health gates', async () => {
  fleet = await TestFleet.create(servers.connect());
  const agents: Awaited<ReturnType<TestFleet['startAgent']>>[] = [];
  const urls: string[] = [];
  for (let at = 0; at < 3; at++) {
    const url = await startService(() => agents[at]?.root ?? '');
    const health = { checks: [{ http: `${url}/up` }], interval: '100ms', healthyFor: '300ms', start: '0s' };
    agents.push(await fleet.startAgent(`web-${at + 1}`, { settings: { agent: { health } } }));
    urls.push(url);
  }
  await fleet.online(3);
  const origin = await fleet.origin();
  const publish = (commitId: string) => fleet.publish({ url: origin.url, commitId });
  const first = await origin.commit('first', tree('first'));
  expect(await publish(first)).toMatchObject({ exitCode: 0 });

  const rolling = policy().parse({ canary: 1, maxParallel: 1 });
  await fleet.session.set(fleet.znodes.policy, encodePolicy(rolling), ANY_VERSION);
  const load = startLoad(urls);
  try {
    for (const word of ['second', 'third']) {
      expect(await publish(await origin.commit(word, tree(word)))).toMatchObject({ exitCode: 0 });
    }
    const bad = await publish(await origin.commit('bad', tree('bad', '500')));
    expect(bad.exitCode).not.toBe(0);
    const last = await origin.commit('last', tree('last'));
    expect(await publish(last)).toMatchObject({ exitCode: 0 });
    for (const agent of agents) expect(await shownCommit(agent.root, 'shop')).toBe(last);
    await until('the last release is served', async () => (load.served.get('last') ?? 0) > 100);
  } finally {
    await load.stop();
    const all = [...load.served.values()].reduce((sum, count) => sum + count, 0);
    console.log(
      `under load: ${all} requests served, ${load.failed} failed; ${JSON.stringify(Object.fromEntries(load.served))}`,
    );
  }
  // Each answer was one word: that of the release whose every file was read.
  expect([...load.served.keys()].toSorted()).toEqual(['bad', 'first', 'last', 'second', 'third']);
});
