import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { childPath } from '../../../zookeeper/paths.ts';
import { cleanEnvironment, MAIN } from '../../support/commands.ts';
import { type Origin, TestFleet } from '../../support/fleet.ts';
import { type FakeForge, startFakeForge } from '../../support/serve/fake-forge.ts';
import { until } from '../../support/until.ts';
import { realServers } from '../../support/zookeeper/server.ts';

/** What two real servers tell a webhook and a forge about a real fleet: one story, told in order. */

const servers = realServers(1);
const TOKEN = 'forge-token-canary-123456789';
const SECRET = `whsec_${Buffer.alloc(32, 9).toString('base64')}`;

interface Server {
  readonly child: ChildProcess;
  readonly log: () => string;
}

describe('two servers of one fleet', () => {
  let fleet: TestFleet;
  let origin: Origin;
  let forge: FakeForge;
  let receiver: FakeForge;
  const started: Server[] = [];
  let settings: string;

  function startServer(): Server {
    const args = [MAIN, 'serve', '--settings', settings, '--listen', '127.0.0.1:0'];
    const child = spawn(process.execPath, args, { env: cleanEnvironment(), stdio: ['ignore', 'pipe', 'pipe'] });
    let log = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        log += text;
      });
    }
    const server = { child, log: () => log };
    started.push(server);
    return server;
  }
  const alive = () => started.filter(({ child }) => child.exitCode === null && child.signalCode === null);
  const sender = () => alive().findLast(({ log }) => log().includes('this server sends'));
  const publish = async (words: string) => {
    const commitId = await origin.commit(words, { 'index.html': words });
    return await fleet.publish({ url: origin.url, commitId }, '-m', words);
  };
  const received = () => receiver.got.map(({ body }) => body as { id: string; data: { customData: { key: string } } });
  const keys = () => received().map(({ data }) => data.customData.key.replace(`${fleet.app} `, ''));

  beforeAll(async () => {
    fleet = await TestFleet.create(servers.connect());
    [origin, forge, receiver] = await Promise.all([fleet.origin(), startFakeForge(), startFakeForge()]);
    await fleet.startAgents(1, { settings: { zookeeper: { sessionTimeout: '4s' } } });
    const file = async (name: string, text: string) => {
      await writeFile(join(fleet.directory, name), text, { mode: 0o600 });
      return join(fleet.directory, name);
    };
    const tokenFile = await file('forge.token', TOKEN);
    const secretFile = await file('ops.key', SECRET);
    settings = await file(
      'serve.yml',
      JSON.stringify({
        zookeeper: { connect: fleet.zookeeper, sessionTimeout: '4s' },
        app: fleet.app,
        serve: {
          url: 'https://deploy.example.com',
          notify: [{ name: 'ops', kind: 'webhook', url: `${receiver.url}/in`, secretFile }],
          forges: [{ prefix: origin.url, kind: 'gitlab', api: forge.url, tokenFile }],
        },
      }),
    );
    startServer();
    startServer();
    const told = fleet.znodes.serveTold;
    await until('both sinks begin', async () => (await fleet.session.children(told))?.length === 2);
  }, 120_000);

  afterAll(async () => {
    for (const { child } of alive()) {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await ended;
    }
    await Promise.all([forge?.close(), receiver?.close()]);
    await fleet?.stop();
  });

  it('tell both sinks one opening and one ending, in order', async () => {
    expect((await publish('first')).exitCode).toBe(0);
    await until('the ending is told', async () => keys().includes('d-1 proven') && forge.told().length >= 4);
    expect(keys()).toEqual(['d-1 begun', 'd-1 proven']);
    expect(forge.told().map((line) => line.split(' ').at(-1))).toEqual(['running', 'running', 'success', 'success']);
  });

  it('keep the token and the key out of logs, znodes and arguments', async () => {
    const texts = [...started.map(({ log }) => log()), ...started.map(({ child }) => argumentsOf(child))];
    texts.push(...(await contents(fleet, fleet.app)));
    expect(texts.length).toBeGreaterThan(10);
    expect(texts.filter((text) => text.includes(TOKEN) || text.includes(SECRET))).toEqual([]);
    expect(forge.got[0]?.headers['private-token']).toBe(TOKEN);
  });

  it('deliver later what a forge missed, and the rollout does not wait for it', async () => {
    forge.answer = () => [503, { message: 'down' }];
    const before = forge.told().length;
    const ended = await publish('second');
    expect(ended.exitCode).toBe(0);
    await until('the webhook is told all the same', async () => keys().includes('d-2 proven'));
    await until('the forge was tried', async () => forge.got.length > before);
    forge.answer = undefined;
    forge.got.length = 0;
    await until('the forge is told', async () => forge.told().filter((line) => line.endsWith('success')).length >= 2);
    expect(forge.told().map((line) => line.split(' ').at(-1))).toEqual(['running', 'running', 'success', 'success']);
  });

  it('lose nothing when the sender is killed before it notes what it sent; doubles carry the same id', async () => {
    const expected: string[] = [];
    for (const n of [3, 4, 5]) {
      const victim = await until('one of two servers sends', async () => (alive().length > 1 ? sender() : null));
      receiver.taken = () => {
        receiver.taken = undefined;
        victim.child.kill('SIGKILL');
      };
      expect((await publish(`version ${n}`)).exitCode).toBe(0);
      expected.push(`d-${n} begun`, `d-${n} proven`);
      await until('the other server tells the rest', async () => keys().includes(`d-${n} proven`));
      expect(victim.child.signalCode).toBe('SIGKILL');
      startServer();
    }
    const told = keys();
    expect(expected.filter((key) => !told.includes(key))).toEqual([]);
    expect(told.length).toBeGreaterThanOrEqual(4 + expected.length + 3);
    const ids = new Map<string, Set<string>>();
    for (const { id, data } of received()) {
      ids.set(data.customData.key, (ids.get(data.customData.key) ?? new Set()).add(id));
    }
    expect([...ids.values()].every((each) => each.size === 1)).toBe(true);
  }, 120_000);
});

const argumentsOf = ({ pid }: ChildProcess): string => readFileSync(`/proc/${pid}/cmdline`, 'utf8');

async function contents(fleet: TestFleet, path: string): Promise<string[]> {
  const found = await fleet.session.get(path);
  const names = (await fleet.session.children(path)) ?? [];
  const below = await Promise.all(names.map((name) => contents(fleet, childPath(path, name))));
  return [found?.data.toString('utf8') ?? '', ...below.flat()];
}
