import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, expect, it } from 'vitest';
import { readHistory } from '../../../fleet/history.ts';
import { shownCommit, TestFleet } from '../../support/fleet.ts';
import { until } from '../../support/until.ts';
import { sharedServer } from '../../support/zookeeper/shared.ts';

const servers = sharedServer();
let fleet: TestFleet;
afterEach(() => fleet.stop());

/** Debian's python3-kazoo, of the system's own Python. */
async function kazoo(...args: string[]): Promise<string> {
  const script = join(import.meta.dirname, '../../support/agent/foreign-writer.py');
  return (await promisify(execFile)('/usr/bin/python3', [script, fleet.zookeeper, ...args])).stdout;
}

it('a foreign writer deploys, and the next publisher gives its write a record', async () => {
  fleet = await TestFleet.create(servers.connect());
  const agent = await fleet.startAgent('web-1');
  await fleet.online(1);
  const origin = await fleet.origin();
  const [a, b, c] = [
    await origin.commit('a', { f: 'a' }),
    await origin.commit('b', { f: 'b' }),
    await origin.commit('c', { f: 'c' }),
  ];
  const plain = (commitId: string) => JSON.stringify({ url: origin.url, commitId, relativePath: 'shop' });
  const shows = (commitId: string) =>
    until(`shows ${commitId}`, async () => (await shownCommit(agent.root, 'shop')) === commitId);

  await kazoo('set', fleet.znodes.config, plain(a));
  await shows(a);
  const status = await fleet.run('status');
  expect(status.stdout).toContain('set by another ZooKeeper client');
  await fleet.reported('web-1', 'active', (report) => report.phase === 'active');

  expect((await fleet.publish({ url: origin.url, commitId: b })).exitCode).toBe(0);
  const history = await readHistory(fleet.session, fleet.znodes, 10);
  expect(history.map(({ number, via, target }) => [number, via, target.commitId])).toEqual([
    [2, 'publish', b],
    [1, 'adopted', a],
  ]);
  expect(history[0]?.previous).toBe(1);

  // Members copied from us prove nothing: a foreign write stays foreign.
  const copied = JSON.parse(await kazoo('get', fleet.znodes.config));
  await kazoo('set', fleet.znodes.config, JSON.stringify({ ...copied, commitId: c }));
  await shows(c);
  expect((await fleet.run('rollback', '--timeout', '60s')).exitCode).toBe(0);
  await shows(b);
  const after = await readHistory(fleet.session, fleet.znodes, 10);
  expect(after.map(({ number, via, returnsTo }) => [number, via, returnsTo]).slice(0, 2)).toEqual([
    [4, 'rollback', 2],
    [3, 'adopted', null],
  ]);
});

it('a foreign reader understands what our publisher writes', async () => {
  fleet = await TestFleet.create(servers.connect());
  const origin = await fleet.origin();
  const commitId = await origin.commit('a', { f: 'a' });
  await fleet.publish({ url: origin.url, commitId }, '--detach');
  const { gitfleet: ours, ...contract } = JSON.parse(await kazoo('get', fleet.znodes.config));
  expect(contract).toEqual({ url: origin.url, commitId, relativePath: 'shop' });
  expect(ours).toEqual({ deployment: 1 });
});

it('an unreadable foreign write is refused by the agents and recorded as what it is', async () => {
  fleet = await TestFleet.create(servers.connect());
  const agent = await fleet.startAgent('web-1');
  await fleet.online(1);
  const origin = await fleet.origin();
  const a = await origin.commit('a', { f: 'a' });
  await fleet.publish({ url: origin.url, commitId: a });
  await kazoo('set', fleet.znodes.config, '{"url":');
  const refused = await fleet.reported('web-1', 'refused', (report) => report.error !== null);
  expect(refused).toMatchObject({ phase: 'failed', activeCommit: a, error: { code: 'JSON', next: 'stall' } });
  const b = await origin.commit('b', { f: 'b' });
  expect((await fleet.publish({ url: origin.url, commitId: b })).exitCode).toBe(0);
  expect(await shownCommit(agent.root, 'shop')).toBe(b);
  const [, adopted] = await readHistory(fleet.session, fleet.znodes, 10);
  expect(adopted).toMatchObject({ via: 'adopted', reason: 'refused: JSON' });
});
