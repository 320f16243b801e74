import { execFile, spawn } from 'node:child_process';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ROLES, type RoleIds, roleAccess } from '../../../fleet/access.ts';
import { initApp } from '../../../fleet/app.ts';
import { systemClock as clock, systemRandom as random } from '../../../runtime/clock.ts';
import { znodes } from '../../../schemas/znodes.ts';
import { snapshotShape } from '../../../serve/api/shapes.ts';
import { createHandler } from '../../../serve/http/handler.ts';
import { listen } from '../../../serve/http/listen.ts';
import { createStream, snapshotOf } from '../../../serve/http/stream.ts';
import { openPicture, type Picture } from '../../../serve/picture/picture.ts';
import { digestId } from '../../../zookeeper/acl.ts';
import { isCode } from '../../../zookeeper/errors.ts';
import { ANY_VERSION, type Session } from '../../../zookeeper/session.ts';
import { cleanEnvironment, gitfleet, MAIN } from '../../support/commands.ts';
import { temporaryDirectory } from '../../support/git/origin.ts';
import { silentLog as log } from '../../support/log.ts';
import { until } from '../../support/until.ts';
import { realServers } from '../../support/zookeeper/server.ts';
import { sessionsForTest } from '../../support/zookeeper/session.ts';

/*
 * The picture of a real ZooKeeper, whose server is frozen, killed and counted on: what it costs, what it may write, how
 * soon it says that it is stale.
 */
const servers = realServers(1);
const open = sessionsForTest();
const DOC = readFileSync(join(import.meta.dirname, '../../../docs/serve.md'), 'utf8');
const NEW = 'b'.repeat(40);
const TARGET = { url: 'https://git.example.com/shop.git', commitId: NEW, relativePath: 'shop' };

const credential = (user: string) => ({ scheme: 'digest', credential: `${user}:secret` });
const json = (value: unknown) => Buffer.from(JSON.stringify(value));

/** An app with access rights, and agents that are only znodes. */
async function makeApp(name: string, agents: number) {
  const ids = Object.fromEntries(ROLES.map((role) => [role, digestId(role, 'secret')])) as RoleIds;
  const access = roleAccess(ids);
  const paths = znodes(`/app/${name}`);
  const operator = open(servers.connect(), { auth: [credential('operator')] });
  await initApp(operator, paths, access);
  await operator.set(paths.config, json(TARGET), ANY_VERSION);
  const report = (agentId: string, phase: string) =>
    json({ agentId, targetVersion: null, activeCommit: NEW, phase, phaseAt: 1, at: 2 });
  for (let n = 0; n < agents; n += 1) {
    const agentId = `web-${String(n).padStart(3, '0')}`;
    const card = { agentId, instanceId: 'i', machineId: 'm', pid: 1, host: agentId, startedAt: 1 };
    await operator.create(paths.presence(agentId), json(card), 'ephemeral', { acl: access.of('presence') });
    await operator.create(paths.report(agentId), report(agentId, 'fetching'), 'persistent', {
      acl: access.of('report'),
    });
  }
  return { paths, operator, report, ids };
}

function openServer(paths: ReturnType<typeof znodes>, user = 'server'): { session: Session; picture: Picture } {
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  const session = open(servers.connect(), { auth: [credential(user)] });
  return { session, picture: openPicture({ session, clock, random, log }, paths, stop.signal) };
}

const whole = (picture: Picture, agents: number) =>
  until('the picture is whole', async () =>
    picture.current()?.state.agents.size === agents ? picture.current() : null,
  );

/** Packets that the server got, from all clients. */
async function received(): Promise<number> {
  const { stdout } = await promisify(execFile)('bash', [
    '-c',
    `exec 3<>/dev/tcp/127.0.0.1/${servers.first.port}; printf srvr >&3; cat <&3`,
  ]);
  return Number(/Received: (\d+)/.exec(stdout)?.[1]);
}

describe('the picture of an app', () => {
  it('is made with the rights of the server alone, fits its shape, and follows what happens', async () => {
    const { paths, operator, report } = await makeApp('shop', 5);
    const { picture } = openServer(paths);
    const { state } = await whole(picture, 5);
    const head = { app: paths.app, version: '0', links: [] };
    expect(() => snapshotShape.parse(snapshotOf(state, head, picture.freshness()))).not.toThrow();
    expect(state).toMatchObject({ target: { commitId: NEW }, counts: { silent: 5 }, findings: [] });
    expect(picture.freshness()).toMatchObject({ clock: 'ensemble', zookeeper: { stale: null } });

    await operator.set(paths.report('web-001'), report('web-001', 'failed'), ANY_VERSION);
    await operator.remove(paths.presence('web-002'), ANY_VERSION);
    await operator.set(paths.hold, json({ by: 'ann', reason: 'sale', at: 1, end: null }), ANY_VERSION);
    await operator.create(
      paths.auditRecord(1),
      json({ number: 1, kind: 'hold', by: 'ann', at: 1, chain: null }),
      'persistent',
    );
    await until('all of it is seen', async () => {
      const now = picture.current()?.state;
      const isSeen =
        now?.agents.get('web-001')?.phase === 'failed' &&
        now.agents.get('web-002')?.standing === 'offline' &&
        now.hold?.by === 'ann' &&
        now.acts.length === 1;
      return isSeen || null;
    });
  });

  it('shows an app of before there were servers, and an app that is not there, without failing', async () => {
    const { paths, operator } = await makeApp('older', 1);
    await operator.removeTree(paths.serve);
    const { picture } = openServer(paths, 'viewer');
    const { state } = await whole(picture, 1);
    expect(picture.freshness().clock).toBe('server');
    expect(state.findings).toMatchObject([{ check: 'rights', says: expect.stringContaining('serve') }]);
    const none = openServer(znodes('/app/none'));
    await whole(none.picture, 0);
    expect(none.picture.current()?.state.findings).toMatchObject([{ check: 'app', verdict: 'fail' }]);
  });

  it('is read by one session, and writes nothing but its own znodes', async () => {
    const { paths, operator } = await makeApp('quiet', 3);
    const { session, picture } = openServer(paths);
    await whole(picture, 3);
    const all = await everyNode(operator, paths.app);
    expect(all.length).toBeGreaterThan(25);
    const stats = async () =>
      Object.fromEntries(await Promise.all(all.map(async (path) => [path, await operator.exists(path)])));
    const before = await stats();
    for (const path of all) {
      const attempts = [
        session.set(path, Buffer.from('x'), ANY_VERSION),
        session.create(`${path}/x`, Buffer.alloc(0), 'persistent'),
        session.remove(path, ANY_VERSION),
        session.setAcl(path, [{ scheme: 'world', id: 'anyone', permissions: 'cdrwa' }], ANY_VERSION),
      ];
      const done = await Promise.allSettled(attempts);
      const refused = done.map(
        (each) =>
          each.status === 'rejected' && isCode(each.reason, 'NO_AUTH', 'NOT_EMPTY', 'NO_CHILDREN_FOR_EPHEMERALS'),
      );
      if (!`${path}/`.startsWith(`${paths.serve}/`)) expect(refused, path).toEqual([true, true, true, true]);
    }
    const after = await stats();
    const changed = all.filter((path) => JSON.stringify(plain(before[path])) !== JSON.stringify(plain(after[path])));
    expect(changed.filter((path) => !`${path}/`.startsWith(`${paths.serve}/`))).toEqual([]);
  });

  it('costs ZooKeeper the same for fifty viewers as for one', async () => {
    const { paths, operator, report } = await makeApp('busy', 20);
    const { picture } = openServer(paths);
    await whole(picture, 20);
    const head = { app: paths.app, version: '0', links: [] };
    const stream = createStream({ picture, head, processId: 'abc', clock });
    const rules = { hosts: new Set<string>(), origins: new Set<string>(), userHeader: null, hasToken: false };
    const metrics = { contentType: 'text/plain', text: async () => '' };
    const parts = { picture, head, page: new Map(), metrics, documents: new Map(), rules, token: null, stream, log };
    const server = await listen({ host: '127.0.0.1', port: 0 }, createHandler(parts));
    onTestFinished(async () => {
      stream.close();
      await server.close();
    });
    const url = `http://127.0.0.1:${server.port}/api/v1`;
    const stop = new AbortController();
    onTestFinished(() => stop.abort());
    const watch = async () => {
      const { body } = await fetch(`${url}/events`, { signal: stop.signal });
      void body?.pipeTo(new WritableStream()).catch(() => {});
    };
    /** Packets per second, with ten changes and so many questions after each. */
    const rate = async (asks: number) => {
      const [before, since] = [await received(), clock.monotonic()];
      for (let n = 0; n < 10; n += 1) {
        await operator.set(paths.report('web-001'), report('web-001', `fetching`), ANY_VERSION);
        await Promise.all(Array.from({ length: asks }, () => fetch(`${url}/status`).then((answer) => answer.text())));
        await clock.sleep(100);
      }
      return (((await received()) - before) * 1_000) / (clock.monotonic() - since);
    };
    await watch();
    const one = await rate(1);
    await Promise.all(Array.from({ length: 49 }, watch));
    expect(stream.count()).toBe(50);
    const fifty = await rate(10);
    expect(fifty).toBeLessThan(one * 1.3);
    expect(one).toBeGreaterThan(20);
  });

  it('says within two seconds that ZooKeeper is frozen or gone, keeps what it knew, and comes back', async () => {
    const { paths } = await makeApp('away', 2);
    const { picture } = openServer(paths);
    const { state } = await whole(picture, 2);
    const told: (number | null)[] = [];
    picture.listen({ changed: () => {}, alive: ({ zookeeper }) => void told.push(zookeeper.stale?.since ?? null) });
    const isStale = async () => picture.freshness().zookeeper.stale !== null;
    const isTold = async () => told.at(-1) != null;

    const frozenAt = clock.monotonic();
    servers.first.kill('SIGSTOP');
    await until('stale is told', async () => ((await isTold()) ? true : null));
    expect(clock.monotonic() - frozenAt).toBeLessThan(2_000);
    expect(picture.current()?.state).toBe(state);
    servers.first.kill('SIGCONT');
    await until('it is current again', async () => ((await isStale()) ? null : true));

    const killedAt = clock.monotonic();
    await servers.first.stop();
    await until('stale is told', async () => ((await isTold()) ? true : null));
    expect(clock.monotonic() - killedAt).toBeLessThan(2_000);
    expect(picture.freshness()).toMatchObject({
      asOf: expect.any(Number),
      zookeeper: { stale: { reason: expect.any(String) } },
    });
    expect(picture.current()?.state.agents.size).toBe(2);
    await servers.first.start();
    await until('it is current again', async () => ((await isStale()) ? null : true));
  });
});

describe('gitfleet serve', () => {
  it('answers the examples of docs/serve.md, passes its doctor, and ends when it is told to', async () => {
    const { paths, operator, report, ids } = await makeApp('docs', 0);
    const access = roleAccess(ids);
    const card = { agentId: 'web-1', instanceId: 'i', machineId: 'm', pid: 1, host: 'web-1', startedAt: 1 };
    await operator.create(paths.presence('web-1'), json(card), 'ephemeral', { acl: access.of('presence') });
    await operator.create(paths.report('web-1'), report('web-1', 'active'), 'persistent', { acl: access.of('report') });
    const place = temporaryDirectory('serve');
    onTestFinished(place.remove);
    const file = (name: string) => join(place.path, name);
    const roles = ROLES.map((role) => `role ${role} ${ids[role]}`);
    writeFileSync(file('server.auth'), ['auth digest:server:secret', ...roles, ''].join('\n'), { mode: 0o600 });
    const settings = (port: number) =>
      JSON.stringify({
        zookeeper: { connect: servers.connect(), authFile: file('server.auth') },
        app: paths.app,
        serve: { listen: `127.0.0.1:${port}`, socket: file('http.sock'), userHeader: 'X-User' },
      });
    writeFileSync(file('serve.yml'), settings(0));
    chmodSync(place.path, 0o700);
    const env = cleanEnvironment();
    const args = [MAIN, 'serve', '--settings', file('serve.yml')];
    const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    onTestFinished(() => void child.kill('SIGKILL'));
    let logged = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      logged += text;
    });
    const port = await until('it serves', async () => Number(/"port":(\d+)/.exec(logged)?.[1]) || null);
    await until('the picture is whole', async () =>
      (await fetch(`http://127.0.0.1:${port}/api/v1/status`)).ok ? true : null,
    );

    const examples = DOC.split('\n').flatMap((line) => /^ {4}\$ (curl .+)$/.exec(line)?.[1] ?? []);
    expect(examples.length).toBeGreaterThan(6);
    for (const example of examples) {
      const command = example
        .replaceAll('localhost:9181', `127.0.0.1:${port}`)
        .replace('curl -sN', 'timeout 2 curl -sN');
      const { stdout } = await promisify(execFile)('bash', ['-c', `set -o pipefail; ${command} || [ $? = 124 ]`]);
      expect(stdout, example).toMatch(command.includes('events') ? /^event: synced$/m : /^[[{"]|^$/);
      if (!command.includes('events') && !command.includes('.deployments[]'))
        expect(stdout.length, example).toBeGreaterThan(10);
    }
    const proxied = await promisify(execFile)('curl', [
      '-s',
      '--unix-socket',
      file('http.sock'),
      '-H',
      'X-User: ann',
      'http://localhost/api/v1/rollout',
    ]);
    expect(JSON.parse(proxied.stdout)).toMatchObject({ rollout: null });
    const unnamed = await promisify(execFile)('curl', [
      '-s',
      '--unix-socket',
      file('http.sock'),
      'http://localhost/api/v1/rollout',
    ]);
    expect(JSON.parse(unnamed.stdout)).toMatchObject({ error: expect.stringContaining('token') });

    writeFileSync(file('serve.yml'), settings(port));
    const doctor = await gitfleet(['doctor', '--settings', file('serve.yml'), '--json']);
    const findings = doctor.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const about = (check: string) => findings.find((each) => each.check === check)?.verdict;
    expect(['serve', 'socket', 'page', 'rights', 'publish'].map(about)).toEqual(['ok', 'ok', 'ok', 'ok', undefined]);
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
    const after = await gitfleet(['doctor', '--settings', file('serve.yml'), '--json']);
    expect(after.stdout).toContain(`nothing answers at 127.0.0.1:${port}`);
  });
});

async function everyNode(session: Session, path: string): Promise<string[]> {
  const below = (await session.children(path)) ?? [];
  return [path, ...(await Promise.all(below.map((name) => everyNode(session, `${path}/${name}`)))).flat()];
}

const plain = (stat: object | null | undefined) =>
  stat && Object.fromEntries(Object.entries(stat).map(([name, value]) => [name, String(value)]));
