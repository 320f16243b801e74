import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock as clock } from '../../runtime/clock.ts';
import { dieWithParent } from '../../zookeeper/local/die-with-parent.ts';
import { type Distribution, findDistribution, type LocalServers, startServers } from '../../zookeeper/local/servers.ts';
import {
  askServer,
  judgeRoles,
  type ServerRole,
  type ServerStatus,
  serverStatus,
} from '../../zookeeper/wire/four-letter.ts';

const { ZOOKEEPER_HOME, JAVA_HOME, PATH } = process.env;
const distribution = (await findDistribution({ ZOOKEEPER_HOME, JAVA_HOME, PATH })) as Distribution;
const running: LocalServers[] = [];
const folders: string[] = [];

afterEach(async () => {
  for (const servers of running.splice(0)) await servers.stop();
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

async function start(count: 1 | 3, more: { ports?: number[] } = {}) {
  const parent = await mkdtemp(join(tmpdir(), 'gitfleet-zk-'));
  folders.push(parent);
  const directory = join(parent, 'servers');
  const servers = await startServers({ count, distribution, directory, clock, ...more });
  running.push(servers);
  return { servers, directory };
}

const alive = (pid: number) => existsSync(`/proc/${pid}`);

describe('local servers', () => {
  it('one serves standalone, and stop leaves neither process nor directory', async () => {
    const { servers, directory } = await start(1);
    const pid = servers.servers[0]?.pid as number;
    expect(await servers.servers[0]?.role()).toBe('standalone');
    expect(servers.connectString).toMatch(/^127\.0\.0\.1:\d+$/);
    await servers.stop();
    expect(alive(pid)).toBe(false);
    expect(existsSync(directory)).toBe(false);
    expect(await servers.servers[0]?.role()).toBe('unreachable');
  });

  it('three form an ensemble that survives the crash of its leader', async () => {
    const { servers } = await start(3);
    const roles = await Promise.all(servers.servers.map((server) => server.role()));
    expect(roles.toSorted()).toEqual(['follower', 'follower', 'leader']);
    const leader = servers.servers[roles.indexOf('leader')];
    await leader?.restart();
    const hosts = servers.servers.map((server) => ({ host: '127.0.0.1', port: server.port }));
    await expect
      .poll(async () => (await serverStatus(hosts, { timeoutMs: 1_000, clock })).map((one) => one.role).toSorted(), {
        timeout: 30_000,
      })
      .toEqual(['follower', 'follower', 'leader']);
    expect(judgeRoles(await serverStatus(hosts, { timeoutMs: 1_000, clock }))).toEqual({
      ...{ is: 'serving', trouble: [], notes: [], words: [] },
    });
  });

  it('a given port that is taken is said, with the server’s words', async () => {
    const taken = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    const { port } = taken.address() as { port: number };
    await expect(start(1, { ports: [port] })).rejects.toThrow(/in use|Bind/i);
    taken.close();
  });

  it('a frozen server can be stopped, and one word is asked without a session', async () => {
    const { servers } = await start(1);
    const server = servers.servers[0] as (typeof servers.servers)[0];
    expect(await askServer('127.0.0.1', server.port, 'ruok', { timeoutMs: 1_000, clock })).toBe('imok');
    server.kill('SIGSTOP');
    // The signal is on its way: a word that was asked before it arrives is still answered.
    await expect.poll(() => server.role(), { timeout: 20_000 }).toBe('unreachable');
    await server.stop();
    expect(server.pid).toBeUndefined();
  });

  it('its guard ends a server whose starter was killed', async () => {
    const sleeper = spawn('/bin/sh', ['-c', 'exec sleep 600'], { stdio: 'ignore', detached: true });
    dieWithParent(sleeper.pid as number).stdin?.destroy(); // What the kernel does to our end when we are killed.
    await expect.poll(() => sleeper.signalCode, { timeout: 10_000 }).toBe('SIGKILL');
  });
});

describe('what is missing is named', () => {
  it('a ZOOKEEPER_HOME without a server', async () => {
    expect(await findDistribution({ ZOOKEEPER_HOME: '/nonexistent', PATH })).toEqual({
      missing: 'ZOOKEEPER_HOME is /nonexistent, but there is no lib/zookeeper-<version>.jar in it',
    });
  });

  it('a machine without java', async () => {
    const found = await findDistribution({ PATH: '/nonexistent' });
    expect(JSON.stringify(found)).toContain('openjdk-17-jre-headless');
  });
});

describe('the roles of the hosts', () => {
  const at = (number: number, role: ServerRole): ServerStatus => ({ host: 'h', port: number, role });
  it.each<[string, ServerRole[], string, RegExp[]]>([
    ['one standalone server', ['standalone'], 'serving', []],
    ['a whole ensemble', ['leader', 'follower', 'follower'], 'serving', []],
    [
      'an ensemble with one away',
      ['leader', 'follower', 'unreachable'],
      'serving',
      [/^h:3 is unreachable: no answer$/],
    ],
    ['a follower that alone was named', ['follower'], 'serving', []],
    [
      'a standalone among several',
      ['leader', 'follower', 'standalone'],
      'broken',
      [/^h:3 answers standalone although 3 hosts are given/],
    ],
    ['two leaders', ['leader', 'follower', 'leader'], 'broken', [/^more than one leader \(h:1, h:3\)/]],
    [
      'followers of a leader that is not named',
      ['follower', 'unreachable', 'follower'],
      'serving',
      [/^none of the hosts that answer is the leader$/, /^h:2 is/],
    ],
    ['nothing that answers', ['unreachable', 'unreachable'], 'away', [/^h:1 is/, /^h:2 is/]],
  ])('%s', (_, roles, is, words) => {
    const judged = judgeRoles(roles.map((role, index) => at(index + 1, role)));
    expect(judged.is).toBe(is);
    expect(judged.words).toEqual(words.map((pattern) => expect.stringMatching(pattern)));
  });

  it('followers and a server that looks for a leader', () => {
    const looking = { ...at(2, 'unreachable'), reason: 'x', looking: true } as const;
    const no = (hosts: string) => `no leader: ${hosts} looks for one, which takes a majority of the voting servers`;
    expect(judgeRoles([at(1, 'follower'), looking])).toEqual({
      is: 'broken',
      trouble: [no('h:2')],
      notes: [],
      words: [no('h:2'), 'h:2 is unreachable: x'],
    });
    expect(judgeRoles([at(1, 'leader'), looking])).toMatchObject({ is: 'serving', trouble: [] });
    const rest = { ...at(3, 'unreachable'), reason: 'refused' } as const;
    expect(judgeRoles([{ ...looking, port: 1 }, looking, rest])).toMatchObject({
      is: 'away',
      trouble: [no('h:1, h:2')],
    });
    expect(judgeRoles([looking])).toMatchObject({ is: 'away', trouble: [] });
  });

  it('a server without a quorum says that it looks for a leader', async () => {
    const answers = createServer((socket) => {
      socket.resume().end('This ZooKeeper instance is not currently serving requests\n');
    });
    await new Promise<void>((resolve) => answers.listen(0, '127.0.0.1', resolve));
    const { port } = answers.address() as AddressInfo;
    const [status] = await serverStatus([{ host: '127.0.0.1', port }], { timeoutMs: 1_000, clock });
    await new Promise((resolve) => answers.close(resolve));
    expect(status).toMatchObject({ role: 'unreachable', looking: true });
  });

  it('name a server as the connect string takes it', () => {
    expect(judgeRoles([{ host: '::1', port: 2181, role: 'unreachable', reason: 'refused' }]).words).toEqual([
      '[::1]:2181 is unreachable: refused',
    ]);
  });
});
