import { existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { parseCredentials } from '../../../fleet/enrolment/credentials.ts';
import { initialZnodes } from '../../../schemas/znodes.ts';
import type { Session } from '../../../zookeeper/session.ts';
import { gitfleet } from '../../support/commands.ts';
import { shownCommit, TestFleet } from '../../support/fleet.ts';
import { until } from '../../support/until.ts';
import { sessionsForTest } from '../../support/zookeeper/session.ts';
import { sharedServer } from '../../support/zookeeper/shared.ts';

/** What init makes. */
const INITIAL = initialZnodes('/app/business').length;
const servers = sharedServer();
let fleet: TestFleet;
afterEach(() => fleet.stop());
const openSession = sessionsForTest();

/** A session with the credentials of a file, or of nobody. */
async function as(file: string | null): Promise<Session> {
  const parsed = file === null ? { auth: [] } : parseCredentials(await readFile(file, 'utf8'));
  if (!('auth' in parsed)) throw new Error(`line ${parsed.badLine}`);
  return openSession(fleet.zookeeper, { auth: parsed.auth });
}

async function walk(session: Session, path: string): Promise<string[]> {
  const names = (await session.children(path)) ?? [];
  const below = await Promise.all(names.map((name) => walk(session, `${path}/${name}`)));
  return [path, ...below.flat()];
}

const denied = { code: 'NO_AUTH' };

it('with the rights of init a fleet deploys, a stranger changes nothing, an agent only what is its own', async () => {
  fleet = await TestFleet.create(servers.connect(), '/closed/business', { open: false });
  const file = (role: string) => join(fleet.directory, 'gitfleet-credentials', `${role}.auth`);
  for (const role of ['operator', 'publisher', 'coordinator', 'agent', 'viewer']) {
    expect((await stat(file(role))).mode & 0o777).toBe(0o600);
  }
  const agents = await fleet.startAgents(2, { args: ['--auth-file', file('agent')] });
  const operator = await as(file('operator'));
  await until('both are online', async () => (await operator.children(fleet.znodes.online))?.length === 2);
  const origin = await fleet.origin();
  const commitId = await origin.commit('a', { f: 'a' });
  const said = await fleet.publish({ url: origin.url, commitId }, '--auth-file', file('publisher'));
  expect(said).toMatchObject({ exitCode: 0, stderr: '' });
  expect(said.stdout).toContain('2/2 online agents');
  for (const agent of agents) expect(await shownCommit(agent.root, 'shop')).toBe(commitId);

  const stranger = await as(null);
  const agent = await as(file('agent'));
  const publisher = await as(file('publisher'));
  const viewer = await as(file('viewer'));
  const nodes = await walk(operator, fleet.app);
  expect(nodes).toEqual(
    expect.arrayContaining([`${fleet.app}/agents/web-2`, `${fleet.app}/online/web-1`, `${fleet.app}/deployments/d-1`]),
  );
  for (const path of nodes) {
    const acl = (await operator.getAcl(path))?.acl ?? [];
    expect(
      acl.filter((entry) => entry.scheme !== 'digest'),
      path,
    ).toEqual([]);
    await expect(stranger.get(path), path).rejects.toMatchObject(denied);
    for (const one of [stranger, viewer]) {
      await expect(one.set(path, Buffer.from('x'), -1), path).rejects.toMatchObject(denied);
      await expect(one.create(`${path}/x`, Buffer.alloc(0), 'persistent'), path).rejects.toMatchObject(denied);
      await expect(one.setAcl(path, acl, -1), path).rejects.toMatchObject(denied);
    }
    // What all agents share opens no node of one of them, and nothing of the publishers. The clock holds no value: agents
    // write it to be told the time.
    if (path !== fleet.znodes.clock)
      await expect(agent.set(path, Buffer.from('x'), -1), path).rejects.toMatchObject(denied);
    const leaf = !nodes.some((other) => other.startsWith(`${path}/`));
    if (!leaf) continue;
    for (const one of [stranger, viewer, agent]) await expect(one.remove(path, -1), path).rejects.toMatchObject(denied);
  }
  await expect(publisher.set(fleet.znodes.hold, Buffer.from('x'), -1)).rejects.toMatchObject(denied);
  await expect(publisher.set(fleet.znodes.report('web-1'), Buffer.from('x'), -1)).rejects.toMatchObject(denied);

  // Everybody who belongs to it can look; a command without credentials is told what it lacks.
  const looked = await fleet.run('status', '--auth-file', file('viewer'));
  expect(looked.stdout).toContain('2/2 online agents');
  const bare = await fleet.run('status');
  expect(bare.exitCode).toBe(7);
  expect(bare.stderr).toContain('NO_AUTH');
  expect((await fleet.publish({ url: origin.url, commitId }, '--detach', '--auth-file', file('viewer'))).exitCode).toBe(
    7,
  );
});

it('init again changes no content, and with other credentials it is refused', async () => {
  fleet = await TestFleet.create(servers.connect(), '/again/business', { open: false });
  const operator = await as(join(fleet.directory, 'gitfleet-credentials/operator.auth'));
  await operator.set(fleet.znodes.config, Buffer.from('precious'), -1);
  const again = await fleet.run('init');
  expect(again.stdout).toContain(`0 znodes created, ${INITIAL} existed already`);
  expect((await operator.get(fleet.znodes.config))?.data.toString()).toBe('precious');
  const other = await fleet.run('init', '--credentials', join(fleet.directory, 'other'));
  expect(other).toMatchObject({ exitCode: 2 });
  expect(other.stderr).toContain('set up with other credentials');
  const open = await gitfleet(['init', '--open', '-z', fleet.zookeeper, '--app', fleet.app]);
  expect(open.exitCode).toBe(2);
});

it('init closes an app that is open only when it is told to', async () => {
  fleet = await TestFleet.create(servers.connect(), '/opened/business');
  await fleet.startAgent('web-1');
  await fleet.online(1);
  const refused = await fleet.run('init');
  expect(refused).toMatchObject({ exitCode: 5, stdout: '' });
  expect(refused.stderr).toMatch(/APP_OPEN: .*is open, 1 agent online: .* lose access\n.*gitfleet init --close/);
  expect(existsSync(join(fleet.directory, 'gitfleet-credentials'))).toBe(false);
  const stranger = await as(null);
  await stranger.set(fleet.znodes.config, Buffer.alloc(0), -1);

  expect((await fleet.run('init', '--open', '--close')).exitCode).toBe(2);
  expect((await fleet.run('init', '--close')).exitCode).toBe(0);
  const again = await fleet.run('init');
  expect(again).toMatchObject({ exitCode: 0, stdout: expect.stringContaining(`${INITIAL} existed already`) });
  await expect(stranger.set(fleet.znodes.config, Buffer.from('x'), -1)).rejects.toMatchObject(denied);
});

it('a credential file that others may read is refused', async () => {
  fleet = await TestFleet.create(servers.connect(), '/modes/business', { open: false });
  const { chmod } = await import('node:fs/promises');
  const file = join(fleet.directory, 'gitfleet-credentials/viewer.auth');
  await chmod(file, 0o644);
  const said = await fleet.run('status', '--auth-file', file);
  expect(said.exitCode).toBe(2);
  expect(said.stderr).toContain(`chmod 600 ${file}`);
});
