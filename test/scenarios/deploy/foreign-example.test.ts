import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, expect, it } from 'vitest';
import { ANY_URL, parseTarget } from '../../../schemas/target.ts';
import { TestFleet } from '../../support/fleet.ts';
import { realServers } from '../../support/zookeeper/server.ts';

const servers = realServers(1);
let fleet: TestFleet;
afterEach(() => fleet.stop());

const URL = 'https://git.example.com/shop.git';
const COMMIT = '9dbcdf1ee3a4b5c6d7e8f90102030405060708ff';

/** As a person types it, with the Python of the system, where Debian puts kazoo. */
async function write(app: string): Promise<string> {
  const script = join(import.meta.dirname, '../../../examples/foreign_writer.py');
  return (await promisify(execFile)('/usr/bin/python3', [script, fleet.zookeeper, app, URL, COMMIT, 'shop'])).stdout;
}

it('the foreign writer of examples/ sets a target that agents take, and says why it cannot', async () => {
  fleet = await TestFleet.create(servers.connect());
  expect(await write(fleet.app)).toMatch(/^was: \(empty\)\nset: \{"url"/);
  const config = await fleet.session.get(fleet.znodes.config);
  const target = { url: URL, commitId: COMMIT, relativePath: 'shop' };
  expect(parseTarget(config?.data ?? Buffer.alloc(0), ANY_URL)).toEqual({ ok: true, target });
  await expect(write('/app/missing')).rejects.toThrow('run gitfleet init first');
});
