import { type ChildProcess, spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cleanEnvironment, MAIN } from '../../support/commands.ts';
import { type Origin, TestFleet } from '../../support/fleet.ts';
import { until } from '../../support/until.ts';
import { realServers } from '../../support/zookeeper/server.ts';

/** `gitfleet serve --webhooks` with real git and a real ZooKeeper: one story, told in order. */

const servers = realServers(1);
const SECRET = 'correct-horse-battery';

async function freePort(): Promise<number> {
  const listener = createServer();
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const { port } = listener.address() as AddressInfo;
  await new Promise((resolve) => listener.close(resolve));
  return port;
}

describe('a push that a forge delivers', () => {
  let fleet: TestFleet;
  let origin: Origin;
  let receiver: ChildProcess;
  let port: number;
  let settings: string;
  const commits: string[] = [];

  async function start(): Promise<void> {
    const args = [MAIN, 'serve', '--webhooks', '-z', fleet.zookeeper, '--app', fleet.app, '--settings', settings];
    receiver = spawn(process.execPath, args, { env: cleanEnvironment(), stdio: ['ignore', 'pipe', 'pipe'] });
    let log = '';
    for (const stream of [receiver.stdout, receiver.stderr]) stream?.on('data', (text) => (log += String(text)));
    await until('the receiver listens', async () => log.includes('receiving webhooks'));
  }
  async function deliver(secret = SECRET): Promise<number> {
    const body = JSON.stringify({
      ref: 'refs/heads/main',
      after: commits.at(-1),
      repository: { full_name: new URL(origin.url).pathname.slice(1).replace(/\.git$/, '') },
    });
    const signature = `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
    const headers = { 'content-type': 'application/json', 'x-github-event': 'push', 'x-hub-signature-256': signature };
    return (await fetch(`http://127.0.0.1:${port}/hook/shop`, { method: 'POST', headers, body })).status;
  }
  const text = async (path: string) => (await fleet.session.get(path))?.data.toString('utf8') ?? '';
  const shown = async () => JSON.parse((await text(fleet.znodes.config)) || '{}').commitId as string | undefined;
  const seen = () => text(fleet.znodes.serveSeenBy('shop'));
  const last = () => text(fleet.znodes.deployments);

  beforeAll(async () => {
    fleet = await TestFleet.create(servers.connect());
    origin = await fleet.origin();
    commits.push(await origin.commit('one', { page: '1' }));
    port = await freePort();
    settings = join(fleet.directory, 'webhooks.yml');
    const secretFile = join(fleet.directory, 'secret');
    await writeFile(secretFile, `${SECRET}\n`, { mode: 0o600 });
    const shop = { name: 'shop', forge: 'github', url: origin.url, relativePath: 'shop', secretFiles: [secretFile] };
    const webhooks = { listen: port, installations: [{ ...shop, poll: '10s' }] };
    await writeFile(settings, JSON.stringify({ serve: { webhooks } }));
    await start();
  });
  afterAll(async () => {
    receiver?.kill('SIGKILL');
    await fleet?.stop();
  });

  it('fills an empty app at the start, and then deploys what was pushed', async () => {
    await until('the first tip', async () => (await shown()) === commits[0]);
    commits.push(await origin.commit('two', { page: '2' }));
    const pushed = performance.now();
    expect(await deliver('wrong')).toBe(401);
    expect(await deliver()).toBe(202);
    await until('the second tip', async () => (await shown()) === commits[1]);
    console.log(
      `published ${Math.round(performance.now() - pushed)} ms after the delivery, the pause of 10 s included`,
    );
    expect(await seen()).toBe(commits[1]);
  });

  it('does not undo a rollback by a replay, a slow look or a restart; a new commit ends it', async () => {
    expect(await fleet.run('rollback', 'd-1', '--detach', '-m', 'two is bad')).toMatchObject({ exitCode: 0 });
    const before = await last();
    for (let n = 0; n < 50; n += 1) expect(await deliver()).toBe(202);
    receiver.kill('SIGKILL');
    await start();
    expect(await deliver()).toBe(202);
    // Longer than the pause between looks, and than a poll.
    await new Promise((resolve) => setTimeout(resolve, 12_000));
    expect([await last(), await shown()]).toEqual([before, commits[0]]);
    commits.push(await origin.commit('three', { page: '3' }));
    await until('the third tip, without a delivery', async () => (await shown()) === commits[2], 40_000);
  });
});
