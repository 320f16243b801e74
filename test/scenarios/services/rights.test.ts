import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { parseCredentials } from '../../../fleet/enrolment/credentials.ts';
import { serviceZnodes } from '../../../services/contract.ts';
import type { Session } from '../../../zookeeper/session.ts';
import { TestFleet } from '../../support/fleet.ts';
import { Instance, ownAddress } from '../../support/services/web.ts';
import { until } from '../../support/until.ts';
import { sessionsForTest } from '../../support/zookeeper/session.ts';
import { sharedServer } from '../../support/zookeeper/shared.ts';

const servers = sharedServer();
const openSession = sessionsForTest();
let fleet: TestFleet;
const instance = new Instance(ownAddress());
afterEach(async () => {
  await fleet.stop();
  await instance.stop();
});

async function as(file: string | null): Promise<Session> {
  const parsed = file === null ? { auth: [] } : parseCredentials(await readFile(file, 'utf8'));
  if (!('auth' in parsed)) throw new Error(`line ${parsed.badLine}`);
  return openSession(fleet.zookeeper, { auth: parsed.auth });
}

const denied = { code: 'NO_AUTH' };
const bytes = (text: string) => Buffer.from(text);

it('init --service: only its own registrar registers and removes; everybody reads the list, roles the twins', async () => {
  fleet = await TestFleet.create(servers.connect(), '/closed/business', { open: false });
  const made = await fleet.run('init', '--service', 'shop/web', '--service', 'shop/api');
  expect(made).toMatchObject({ exitCode: 0 });
  const file = (name: string) => join(fleet.directory, 'gitfleet-credentials', `${name}.auth`);
  const registrarFile = file('registrar-shop+web');
  expect((await stat(registrarFile)).mode & 0o777).toBe(0o600);
  const content = await readFile(registrarFile, 'utf8');
  expect(await fleet.run('init', '--service', 'shop/web')).toMatchObject({ exitCode: 0 });
  expect(await readFile(registrarFile, 'utf8')).toBe(content);

  await instance.start('a');
  const service = { name: 'shop/web', host: instance.host, port: instance.port, authFile: registrarFile };
  const settings = { agent: { services: [service] } };
  const agent = await fleet.startAgent('web-1', { args: ['--auth-file', file('agent')], settings });
  const stranger = await as(null);
  const paths = serviceZnodes('shop/web');
  await until('it is registered', async () => (await stranger.children(paths.list))?.length === 1);
  const [name = ''] = (await stranger.children(paths.list)) ?? [];
  const value = bytes(JSON.stringify([instance.host, String(instance.port)]));
  expect((await stranger.get(paths.registration(name)))?.data).toEqual(value);

  const [registrar, other, viewer, agents] = await Promise.all(
    [registrarFile, file('registrar-shop+api'), file('viewer'), file('agent')].map(as),
  );
  if (!registrar || !other || !viewer || !agents) throw new Error('no session');
  await expect(stranger.get(paths.twin(name))).rejects.toMatchObject(denied);
  expect(String((await viewer.get(paths.twin(name)))?.data)).toContain('"agentId":"web-1"');
  for (const one of [stranger, other, viewer, agents]) {
    await expect(one.remove(paths.registration(name), -1)).rejects.toMatchObject(denied);
    await expect(one.create(`${paths.list}/x`, value, 'ephemeral')).rejects.toMatchObject(denied);
    await expect(one.create(`${paths.instances}/x`, bytes('{}'), 'ephemeral')).rejects.toMatchObject(denied);
    await expect(one.set(paths.fleet, bytes('{}'), -1)).rejects.toMatchObject(denied);
  }
  for (const one of [registrar, stranger, other]) {
    await expect(one.set(paths.registration(name), bytes('["evil","80"]'), -1)).rejects.toMatchObject(denied);
    await expect(one.remove(paths.list, -1)).rejects.toMatchObject(denied);
  }
  // Who uses the list acknowledges: agents, whose writers do, and registrars; nobody else.
  for (const one of [stranger, other, viewer]) {
    await expect(one.create(paths.consumer('c'), bytes('{}'), 'ephemeral')).rejects.toMatchObject(denied);
  }
  await agents.create(paths.consumer('c'), bytes('{"applied":"0"}'), 'ephemeral');
  expect(
    await fleet.run('service', 'set', 'shop/web', '--min-available', '2', '--auth-file', file('operator')),
  ).toMatchObject({ exitCode: 0, stdout: 'shop/web: at least 2 of the known instances stay\n' });
  expect(await fleet.run('service', 'list')).toMatchObject({ exitCode: 0, stdout: 'shop/api\nshop/web\n' });
  expect(await agent.log()).not.toContain(/auth digest:registrar:(\S+)/.exec(content)?.[1]);
});
