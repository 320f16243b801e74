import { mkdirSync, writeFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { parseRollout, type Rollout } from '../../../schemas/rollout.ts';
import { type Origin, shownCommit, type TestAgent, TestFleet } from '../../support/fleet.ts';
import { until } from '../../support/until.ts';
import { sharedServer } from '../../support/zookeeper/shared.ts';

/** Says "hangs", never "slow". */
const BOUND_MS = 180_000;
const servers = sharedServer();
let fleet: TestFleet;
afterEach(() => fleet.stop());

/** A commit is well on a server until its id is written into a file named `sick` beside the releases there. */
const SETTINGS = {
  zookeeper: { sessionTimeout: '4s' },
  agent: {
    health: {
      checks: [{ command: ['sh', '-c', 'test "$(cat ../../sick 2>/dev/null)" != $GITFLEET_COMMIT'] }],
      ...{ interval: '200ms', rise: 1, healthyFor: '0s', fall: 2, start: '0s' },
    },
  },
};

/** Three agents that show a proven commit. */
async function begin(): Promise<{ origin: Origin; good: string; canary: TestAgent }> {
  fleet = await TestFleet.create(servers.connect());
  await fleet.startAgents(3, { settings: SETTINGS });
  await fleet.online(3);
  const origin = await fleet.origin();
  const good = await origin.commit('good', { page: 'one' });
  expect(await fleet.publish({ url: origin.url, commitId: good })).toMatchObject({ exitCode: 0 });
  await reached('proven', ({ deployment, state }) => deployment === 1 && state === 'proven');
  return { origin, good, canary: fleet.agents.find(({ id }) => id === 'web-1') as TestAgent };
}

async function setPolicy(text: string): Promise<void> {
  const file = join(fleet.directory, 'policy.yml');
  await writeFile(file, text);
  expect(await fleet.run('policy', 'set', file)).toMatchObject({ exitCode: 0 });
}

const reached = (what: string, fits: (rollout: Rollout) => boolean) =>
  until(
    what,
    async () => {
      const node = await fleet.session.get(fleet.znodes.rollout);
      const found = node && parseRollout(node.data);
      return found && fits(found) && found;
    },
    60_000,
  );
const shows = () => Promise.all(fleet.agents.map(({ root }) => shownCommit(root, 'shop')));
const appOf = ({ root }: TestAgent) => join(root, '.gitfleet', fleet.app.slice(1).replaceAll('/', '+'));

function makeSick(agent: TestAgent, commitId: string): void {
  mkdirSync(appOf(agent), { recursive: true });
  writeFileSync(join(appOf(agent), 'sick'), commitId);
}

/** Resolves when the new process owns its presence, which until then may be that of the killed one, and has reported. */
async function startAgain(agent: TestAgent): Promise<void> {
  const before = await fleet.report(agent.id);
  await agent.kill('SIGKILL');
  await agent.restart();
  await fleet.reported(agent.id, 'it again', ({ phase, at }) => phase === 'active' && at > (before?.at ?? 0), 60_000);
}

describe('a release that is healthy at first', { timeout: BOUND_MS }, () => {
  it.each([
    ['goes back by itself when it turns bad in its soak, and the rollout with it', false],
    ['does so too where its agent was killed while it soaked, and started again', true],
  ])('%s', async (_, kills) => {
    const { origin, good, canary } = await begin();
    await setPolicy('canary: 1\nmaxParallel: 2\nsoak: 1h\n');
    const bad = await origin.commit('bad', { page: 'two' });
    const waiting = fleet.publish({ url: origin.url, commitId: bad }, '--timeout', '2m');
    await reached('the soak of the canary', ({ deployment, soakAt }) => deployment === 2 && soakAt !== null);
    expect(await fleet.report(canary.id)).toMatchObject({ phase: 'active', activeCommit: bad });
    if (kills) await canary.kill('SIGKILL');
    makeSick(canary, bad);
    if (kills) await canary.restart();

    const ended = await waiting;
    expect(ended).toMatchObject({ exitCode: 3 });
    expect(ended.stdout).toMatch(/d-2 \w+ ROLLED BACK: .*web-1 failed: HEALTH_FAILED /);
    await reached('the way back proven', ({ deployment, state }) => deployment === 3 && state === 'proven');
    expect(await shows()).toEqual([good, good, good]);
    const log = await canary.log();
    expect(log.match(/"swapped back"/g)).toHaveLength(1);
    expect(log).toContain('healthy at first, then sh exited with 1, 2 looks in a row');
  });

  it('stays when it turns bad after it was proven, or where there is no policy, over restarts too', async () => {
    const { origin, good, canary } = await begin();
    makeSick(canary, good);
    await setPolicy('canary: 1\nmaxParallel: 100%\nsoak: 1s\n');
    await startAgain(canary);
    const next = await origin.commit('next', { page: 'two' });
    expect(await fleet.publish({ url: origin.url, commitId: next })).toMatchObject({ exitCode: 0 });
    await reached('proven', ({ deployment, state }) => deployment === 2 && state === 'proven');
    await until('all show it', async () => (await shows()).every((commit) => commit === next));
    makeSick(canary, next);
    await startAgain(canary);
    // As long as several looks of the rule would take: what must not happen has no event to wait for.
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    expect(await shows()).toEqual([next, next, next]);
    expect(await canary.log()).not.toContain('the active release is not well');
    const journal = join(canary.state, 'apps', fleet.app.slice(1).replaceAll('/', '+'), 'journal.json');
    expect(JSON.parse(await readFile(journal, 'utf8'))).toMatchObject({ gaveUp: null, reversal: null });
  });
});
