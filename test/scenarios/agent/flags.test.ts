import { execFile } from 'node:child_process';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, expect, it } from 'vitest';
import { gitfleet } from '../../support/commands.ts';
import { TestFleet } from '../../support/fleet.ts';
import { until } from '../../support/until.ts';
import { sharedServer } from '../../support/zookeeper/shared.ts';

const servers = sharedServer();
let fleet: TestFleet;
afterEach(() => fleet.stop());

async function kazoo(...args: string[]): Promise<string> {
  const script = join(import.meta.dirname, '../../support/agent/foreign-writer.py');
  return (await promisify(execFile)('/usr/bin/python3', [script, fleet.zookeeper, ...args])).stdout.trim();
}

/** A port that is free now. */
const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });

const flagsFileOf = (root: string): string =>
  join(root, '.gitfleet', fleet.app.slice(1).replaceAll('/', '+'), 'flags.json');
const variantIn = async (file: string, name: string): Promise<string | undefined> =>
  JSON.parse(await readFile(file, 'utf8')).flags[name]?.defaultVariant;

async function ask(port: number, path: string, body: object = {}, headers: Record<string, string> = {}) {
  const response = await fetch(`http://127.0.0.1:${port}/ofrep/v1/evaluate/flags${path}`, {
    method: 'POST',
    body: JSON.stringify(body),
    headers,
  });
  const text = await response.text();
  return { status: response.status, etag: response.headers.get('etag'), body: text === '' ? null : JSON.parse(text) };
}

it('a flag reaches file and loopback of each server, stays there without ZooKeeper, and is taken back', async () => {
  fleet = await TestFleet.create(servers.connect());
  const port = await freePort();
  const agent = await fleet.startAgent('web-1', { settings: { agent: { listen: `127.0.0.1:${port}` } } });
  await fleet.online(1);
  const file = flagsFileOf(agent.root);

  const set = await fleet.run('flag', 'set', 'checkout', 'on', '-m', 'launch');
  expect(set).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('f-1: checkout: on (new)') });
  await until('the file says so', async () => (await variantIn(file, 'checkout').catch(() => '')) === 'on');
  // Programs of other users read it.
  expect((await stat(file)).mode & 0o777).toBe(0o644);
  expect(await ask(port, '/checkout')).toMatchObject({
    status: 200,
    body: { key: 'checkout', value: true, variant: 'on', reason: 'STATIC' },
  });
  expect(await ask(port, '/nothing')).toMatchObject({ status: 404, body: { errorCode: 'FLAG_NOT_FOUND' } });

  await fleet.run('flag', 'set', 'checkout', '25%');
  await until('the share is there', async () => (await ask(port, '/checkout')).body?.variant === 'off');
  const asked = await Promise.all(
    Array.from({ length: 100 }, (_, at) => ask(port, '/checkout', { context: { targetingKey: `user-${at}` } })),
  );
  const on = asked.filter(({ body }) => body.value === true).length;
  expect(on).toBeGreaterThan(5);
  expect(on).toBeLessThan(50);
  const all = await ask(port, '');
  expect(all.body.flags).toHaveLength(1);
  expect(await ask(port, '', {}, { 'if-none-match': all.etag as string })).toMatchObject({ status: 304 });
  expect((await ask(port, '', { context: 'x'.repeat(70_000) })).status).toBe(400);

  const back = await fleet.run('flag', 'rollback');
  expect(back.stdout).toContain('f-3: checkout: on (was 25% on)');
  await until('on again', async () => (await variantIn(file, 'checkout')) === 'on');
  const history = await fleet.run('flag', 'history');
  expect(history.stdout).toContain('25% on -> on');

  // A document that cannot be read replaces nothing.
  await fleet.session.set(fleet.znodes.flags, Buffer.from('{"flags":'), -1);
  await until('it is said', async () => (await agent.log()).includes('flags not taken over, the last ones stay'));
  expect(await variantIn(file, 'checkout')).toBe('on');

  // Without ZooKeeper a new process has the last flags from the disk.
  await agent.kill('SIGTERM');
  const alone = await fleet.startAgent('web-1', {
    zookeeper: '127.0.0.1:1',
    settings: { agent: { listen: `127.0.0.1:${port}` } },
  });
  await until('it serves', async () => (await ask(port, '/checkout').catch(() => null))?.status === 200);
  expect((await ask(port, '/checkout')).body).toMatchObject({ value: true });
  await alone.kill('SIGTERM');
});

it('another program flips a flag of ours, and reads ours, with a plain znode', async () => {
  fleet = await TestFleet.create(servers.connect());
  const directory = `${fleet.app}-features`;
  const agent = await fleet.startAgent('web-1');
  await fleet.online(1);
  const bound = await fleet.run('init', '--open', '--plain-flags', directory);
  expect(bound).toMatchObject({ exitCode: 0 });
  await fleet.run('flag', 'set', 'pymk', 'off');
  expect(await kazoo('get', `${directory}/pymk/enabled`)).toBe('0');

  await kazoo('set', `${directory}/pymk/enabled`, '1');
  await until(
    'the fleet has it',
    async () => (await variantIn(flagsFileOf(agent.root), 'pymk').catch(() => '')) === 'on',
  );
  expect((await fleet.run('flag', 'history')).stdout).toContain('another ZooKeeper client');
  expect((await fleet.run('kv', 'put', `${directory}/pymk/enabled`, '0', '--force')).stderr).toContain(
    'ZNODE_RESERVED',
  );

  // Whatever happens to the flags, code goes back.
  const locked = [{ scheme: 'digest', id: 'nobody:x', permissions: 'cdrwa' }];
  for (const path of [
    directory,
    `${directory}/pymk`,
    `${directory}/pymk/enabled`,
    fleet.znodes.flagChanges,
    fleet.znodes.flags,
  ])
    await fleet.session.setAcl(path, locked, -1);
  expect((await fleet.run('flag', 'set', 'pymk', 'off')).stderr).toContain('NO_AUTH');
  const origin = await fleet.origin();
  for (const word of ['a', 'b']) {
    expect(await fleet.publish({ url: origin.url, commitId: await origin.commit(word, { f: word }) })).toMatchObject({
      exitCode: 0,
    });
  }
  expect(await fleet.run('rollback', '--timeout', '60s')).toMatchObject({ exitCode: 0 });
});

it('taking a change back undoes nothing that was switched since, whoever switched it', async () => {
  fleet = await TestFleet.create(servers.connect());
  const directory = `${fleet.app}-features`;
  await fleet.run('init', '--open', '--plain-flags', directory);
  await fleet.run('flag', 'set', 'pymk', 'off');
  await fleet.run('flag', 'set', 'pymk', 'on');
  await fleet.session.set(`${directory}/pymk/enabled`, Buffer.from('0'), -1);
  await fleet.run('flag', 'set', 'other', 'on');
  await fleet.session.set(`${directory}/other/enabled`, Buffer.from('0'), -1);
  const back = await fleet.run('flag', 'rollback');
  expect(back.stderr).toContain('FLAG_CHANGED');
  expect((await fleet.run('flag', 'list')).stdout).toMatch(/other +off/);
  // A name of a flag that is also one of an app.
  for (const place of [fleet.app, fleet.app.slice(0, fleet.app.lastIndexOf('/')), '/service/shop', '/zookeeper'])
    expect((await fleet.run('init', '--open', '--plain-flags', place)).exitCode, place).not.toBe(0);
  const credentials = join(fleet.directory, 'closed');
  expect(await fleet.run('init', '--close', '--credentials', credentials)).toMatchObject({ exitCode: 0 });
  await expect(fleet.session.set(`${directory}/other/enabled`, Buffer.from('1'), -1)).rejects.toMatchObject({
    code: 'NO_AUTH',
  });
});

it('a kill switch works under a hold, with a credential that does nothing else', async () => {
  fleet = await TestFleet.create(servers.connect(), undefined, { open: false });
  const as = (role: string) => ['--auth-file', join(fleet.directory, 'gitfleet-credentials', `${role}.auth`)];
  await fleet.run('hold', '-m', 'incident', ...as('operator'));
  expect(await fleet.run('flag', 'set', 'payments', 'off', '-m', 'down', ...as('flagger'))).toMatchObject({
    exitCode: 0,
  });
  expect((await fleet.run('flag', 'set', 'payments', 'on', ...as('publisher'))).stderr).toContain('flagger.auth');
  for (const words of [['hold', '-m', 'x'], ['quarantine', 'a'.repeat(40), '-m', 'x'], ['unhold']]) {
    expect((await fleet.run(...words, ...as('flagger'))).exitCode, words.join(' ')).not.toBe(0);
  }
});

it('credential files of an earlier version learn the new role when init runs again', async () => {
  fleet = await TestFleet.create(servers.connect(), undefined, { open: false });
  const file = (role: string) => join(fleet.directory, 'gitfleet-credentials', `${role}.auth`);
  for (const role of ['operator', 'publisher', 'agent']) {
    const old = (await readFile(file(role), 'utf8')).split('\n').filter((line) => !line.includes('flagger'));
    await writeFile(file(role), old.join('\n'), { mode: 0o600 });
  }
  expect(await fleet.run('init')).toMatchObject({ exitCode: 0 });
  expect((await readFile(file('agent'), 'utf8')).match(/role flagger/g)).toHaveLength(1);
  const flagged = await fleet.run('flag', 'set', 'a', 'on', '--auth-file', file('flagger'));
  expect(flagged).toMatchObject({ exitCode: 0, stderr: '' });
  expect(await fleet.run('init')).toMatchObject({ exitCode: 0 });
});

it('values are put, read, listed and removed, and nothing of gitfleet is touched', async () => {
  fleet = await TestFleet.create(servers.connect());
  const kv = (...words: string[]) => gitfleet(['kv', ...words, '-z', fleet.zookeeper, '--app', fleet.app]);
  const place = '/servers/cache/c6';
  expect(await kv('put', `${place}/host`, '10.0.0.7')).toMatchObject({
    exitCode: 0,
    stdout: `${place}/host: created\n`,
  });
  expect((await kv('put', `${place}/host`, '10.0.0.8')).stderr).toContain('VALUE_EXISTS');
  expect((await kv('put', `${place}/host`, '10.0.0.8', '--if-version', '4')).stderr).toContain('VALUE_CHANGED');
  expect(await kv('put', `${place}/host`, '10.0.0.8', '--if-version', '0')).toMatchObject({ exitCode: 0 });
  expect(JSON.parse((await kv('get', `${place}/host`, '--json')).stdout)).toMatchObject({
    value: '10.0.0.8',
    version: 1,
  });
  expect(await kazoo('get', `${place}/host`)).toBe('10.0.0.8');
  expect((await kv('ls', place)).stdout).toBe('host\n');
  for (const path of [
    `${fleet.app}/config`,
    fleet.app,
    '/service/shop/web',
    '/zookeeper/quota',
    `${fleet.app}/agents/web-1`,
  ]) {
    expect((await kv('put', path, 'x', '--force')).stderr, path).toContain('ZNODE_RESERVED');
    expect((await kv('rm', path, '--force')).stderr, path).toContain('ZNODE_RESERVED');
  }
  for (const path of ['servers', '/servers/../app', '/servers//x', '/a\u001b[31m']) {
    expect((await kv('put', path, 'x')).stderr, path).toContain('ZNODE: ');
  }
  expect((await kv('rm', '/servers')).stderr).toContain('VALUE_EXISTS');
  expect(await kv('rm', '/servers', '--force')).toMatchObject({ exitCode: 0 });
  expect((await kv('get', `${place}/host`)).stderr).toContain('VALUE_MISSING');
});
