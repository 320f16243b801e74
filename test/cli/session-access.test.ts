import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openCredentialFiles } from '../../cli/daemon/credential-files.ts';
import { coordinatorAccess, sessionAccess } from '../../cli/shell/session-access.ts';
import { ROLES, type Role } from '../../fleet/access.ts';
import { makeCredentials } from '../../fleet/enrolment/credentials.ts';
import { parseSettings } from '../../schemas/settings/settings.ts';

let directory: string;
const file = (name: string) => join(directory, `${name}.auth`);

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gitfleet-coordinator-'));
  const made = makeCredentials(() => randomBytes(24).toString('base64url'));
  for (const role of ROLES) await writeFile(file(role), made[role], { mode: 0o600 });
  const line = (role: Role) => made[role].split('\n').find((each) => each.startsWith('auth ')) ?? '';
  await writeFile(file('both'), `${made.agent}${line('coordinator')}\n`, { mode: 0o600 });
});
afterAll(() => rm(directory, { recursive: true, force: true }));

async function access(authFile: string | null, coordinator: Record<string, unknown> = {}) {
  const zookeeper = { connect: 'zk1', ...(authFile ? { authFile } : {}) };
  const settings = parseSettings({ zookeeper, coordinator }, 'web-1');
  return await coordinatorAccess(settings, await sessionAccess(settings));
}

it('an agent of an open app stands, unless its settings say no', async () => {
  expect(await access(null)).toEqual({ stands: true, auth: [] });
  expect(await access(null, { candidate: false })).toEqual({ stands: false, auth: [] });
});

it('where the app has rights only who holds the credential stands, in a file of its own or beside the agent’s', async () => {
  expect((await access(file('agent'))).stands).toBe(false);
  expect(await access(file('agent'), { authFile: file('coordinator') })).toMatchObject({
    stands: true,
    auth: [{ scheme: 'digest', credential: expect.stringMatching(/^coordinator:/) }],
  });
  expect((await access(file('both'))).stands).toBe(true);
  expect((await access(file('both'), { candidate: false })).stands).toBe(false);
});

it('the file of another role, and one that others may read, are refused at the start', async () => {
  const wrong = access(file('agent'), { authFile: file('publisher') });
  await expect(wrong).rejects.toMatchObject({
    code: 'SETTINGS',
    message: expect.stringContaining('is not the coordinator'),
  });
  await writeFile(file('open'), 'auth digest:coordinator:x\n', { mode: 0o644 });
  await expect(access(file('agent'), { authFile: file('open') })).rejects.toMatchObject({ code: 'SETTINGS' });
});

it('a file that lost its credential or its roles, and one that cannot be read twice, renew nothing', async () => {
  const name = join(directory, 'renewed.auth');
  const whole = await readFile(file('agent'), 'utf8');
  await writeFile(name, whole, { mode: 0o600 });
  const settings = parseSettings({ zookeeper: { connect: 'zk1', authFile: name } }, 'web-1');
  const { session } = await sessionAccess(settings);
  const own = { scheme: 'digest', credential: 'own:secret' };
  const files = await openCredentialFiles(settings, await sessionAccess(settings), own);
  const renewals = [async () => session.renewCredentials?.(), async () => files.renew()];
  const halves = ['', whole.slice(0, whole.indexOf('role ')), whole.slice(0, whole.lastIndexOf('role viewer'))];
  for (const half of halves) {
    await writeFile(name, half);
    for (const renewal of renewals) await expect(renewal(), half).rejects.toMatchObject({ code: 'SETTINGS' });
  }
  await rm(name);
  await symlink('/dev/null', name); // As a pipe of the shell is at its second read.
  for (const renewal of renewals)
    expect((await renewal())?.auth).toEqual(expect.arrayContaining([...(session.auth ?? [])]));
  await rm(name);
  await writeFile(name, whole.replace(/(auth digest:agent:).*/, '$1other'), { mode: 0o600 });
  for (const renewal of renewals) expect((await renewal())?.auth[0]?.credential).toBe('agent:other');
});
