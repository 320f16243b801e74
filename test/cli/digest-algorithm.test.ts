import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { gitfleet } from '../support/commands.ts';
import { realServers } from '../support/zookeeper/server.ts';
import { sessionsForTest } from '../support/zookeeper/session.ts';

const servers = realServers(1, { properties: { 'zookeeper.DigestAuthenticationProvider.digestAlg': 'SHA-256' } });

const openSession = sessionsForTest();
let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gitfleet-digest-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

it('init makes nothing on servers that hash credentials otherwise, neither znode nor file', async () => {
  const credentials = join(directory, 'credentials');
  const ran = await gitfleet(['init', '-z', servers.connect(), '--app', '/app/shop', '--credentials', credentials]);
  expect(ran).toMatchObject({ exitCode: 7, stderr: expect.stringContaining('DIGEST_ALGORITHM') });
  expect(ran.stderr).toContain('digestAlg');
  expect(await readdir(directory)).toEqual([]);
  const session = openSession(servers.connect());
  expect(await session.children('/')).toEqual(['zookeeper']);
  const open = await gitfleet(['init', '--open', '-z', servers.connect(), '--app', '/app/shop']);
  expect(open.exitCode).toBe(0);
});
