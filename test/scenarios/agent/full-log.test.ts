import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { systemClock } from '../../../runtime/clock.ts';
import { shownCommit, TestFleet } from '../../support/fleet.ts';
import { realServers } from '../../support/zookeeper/server.ts';

const servers = realServers(1);
let fleet: TestFleet;
afterEach(() => fleet.stop());

it('an agent whose log and errors go to a full disk is online, deploys, and ends on SIGTERM', async () => {
  fleet = await TestFleet.create(servers.connect());
  const home = join(fleet.directory, 'agents', 'web-1');
  mkdirSync(home, { recursive: true });
  symlinkSync('/dev/full', join(home, 'agent.log'));
  const agent = await fleet.startAgent('web-1', { settings: { log: { level: 'debug' } } });
  await fleet.online(1);
  const origin = await fleet.origin();
  for (const content of ['one', 'two']) {
    const commitId = await origin.commit(content, { f: content });
    expect((await fleet.publish({ url: origin.url, commitId })).exitCode).toBe(0);
    expect(await shownCommit(agent.root, 'shop')).toBe(commitId);
  }
  const began = systemClock.monotonic();
  await agent.kill('SIGTERM');
  expect(systemClock.monotonic() - began).toBeLessThan(10_000);
  expect(agent.process.exitCode).toBe(0);
});
