import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { shownCommit, TestFleet } from '../../support/fleet.ts';
import { until } from '../../support/until.ts';
import { sharedServer } from '../../support/zookeeper/shared.ts';

/** Somebody tidies up on a server whose agent runs: what is served comes back, or the agent ends for its supervisor. */
/** The agent may put a file into a directory that was just emptied: then it is removed once more. */
const WHILE_IT_WRITES = { recursive: true, maxRetries: 10, retryDelay: 10 } as const;

const servers = sharedServer();
let fleet: TestFleet;
beforeEach(async () => {
  fleet = await TestFleet.create(servers.connect());
});
afterEach(() => fleet.stop());

async function serving() {
  const agent = await fleet.startAgent('web-1', { settings: { agent: { resyncInterval: '1s' } } });
  const origin = await fleet.origin();
  const commitId = await origin.commit('first', { index: 'first' });
  await fleet.setConfig(JSON.stringify({ url: origin.url, commitId, relativePath: 'shop' }));
  await fleet.reported('web-1', 'active', (report) => report.activeCommit === commitId && report.phase === 'active');
  const shows = () =>
    until('the link shows it', async () => (await shownCommit(agent.root, 'shop')) === commitId || null);
  return { agent, shows };
}

it('releases that are removed are made again', async () => {
  const { agent, shows } = await serving();
  const app = fleet.app.slice(1).replaceAll('/', '+');
  await rm(join(agent.root, '.gitfleet', app, 'releases'), WHILE_IT_WRITES);
  await shows();
});

it.each(['state', 'root'] as const)(
  'without its %s the agent ends with a code, and its successor serves',
  async (which) => {
    const { agent, shows } = await serving();
    const ended = new Promise<number | null>((resolve) => agent.process.once('exit', resolve));
    await rm(agent[which], WHILE_IT_WRITES);
    expect(await ended).toBe(1);
    expect(await agent.log()).toContain('LOCK_LOST');
    await agent.restart();
    await shows();
  },
);
