import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openAccess } from '../../../fleet/access.ts';
import { initApp } from '../../../fleet/app.ts';
import { steerRollout } from '../../../publisher/steer-rollout.ts';
import { systemClock as clock } from '../../../runtime/clock.ts';
import { encodePolicy, policy } from '../../../schemas/policy.ts';
import { parseRollout, type Rollout } from '../../../schemas/rollout.ts';
import { targetVersionOf } from '../../../schemas/target.ts';
import { shown } from '../../support/agent/agent-process.ts';
import { type Origin, type TestAgent, TestFleet } from '../../support/fleet.ts';
import { until } from '../../support/until.ts';
import { realServers } from '../../support/zookeeper/server.ts';

/**
 * A real ZooKeeper loses what it had while a rollout is in one of its stages: its data are those of a backup, or none.
 * The fleet stays as it is, `gitfleet status` says what to do, and doing exactly that works.
 */
const servers = realServers(1);
/** Each stage lasts until the test has seen it. */
const SLOW = encodePolicy(policy().parse({ canary: 1, maxParallel: 1, soak: '1s', promote: 'manual' }));
const FAST = encodePolicy(policy().parse({ canary: 1, maxParallel: 2 }));
const SETTINGS = { zookeeper: { sessionTimeout: '3s' } };
const STAGES = ['canary', 'soak', 'pause', 'wave', 'proven'] as const;
type Stage = (typeof STAGES)[number];

let fleet: TestFleet;
let agents: TestAgent[];
let origin: Origin;
let commits = 0;
const names = new Map<string, string>();

beforeAll(async () => {
  fleet = await TestFleet.create(servers.connect(), '/app/shop');
  [agents, origin] = await Promise.all([fleet.startAgents(3, { settings: SETTINGS }), fleet.origin()]);
  await fleet.online(3);
  await proven(await publish(FAST));
});
afterAll(() => fleet?.stop());

/** A new commit, written as another ZooKeeper client would. */
async function publish(how: Buffer): Promise<string> {
  await fleet.session.set(fleet.znodes.policy, how, -1);
  const commitId = await origin.commit(`commit ${++commits}`, { index: `${commits}` });
  names.set(commitId, `commit-${commits}`);
  await fleet.setConfig(JSON.stringify({ url: origin.url, commitId, relativePath: 'shop' }));
  return commitId;
}

async function reached(what: string, fits: (rollout: Rollout) => boolean): Promise<Rollout> {
  return await until(what, async () => {
    const [node, config] = await Promise.all([
      fleet.session.get(fleet.znodes.rollout),
      fleet.session.get(fleet.znodes.config),
    ]);
    const rollout = node && parseRollout(node.data);
    return rollout && config && rollout.targetVersion === targetVersionOf(config.stat) && fits(rollout) && rollout;
  });
}

const proven = (commitId: string) =>
  reached('proven', ({ state, base }) => state === 'proven' && base?.commitId === commitId);

const isSoaking = ({ wave, soakAt }: Rollout) => wave === 0 && soakAt !== null;

/** Brings the rollout of what config holds to this stage; the stages before it have passed. */
async function reach(stage: Stage): Promise<void> {
  const steer = (verb: 'pause' | 'promote') =>
    steerRollout({ session: fleet.session, znodes: fleet.znodes, clock }, verb, { by: 'ann', reason: 'to see' });
  switch (stage) {
    case 'canary':
      return void (await reached(stage, ({ wave, members }) => wave === 0 && members.length > 0));
    case 'soak':
      return void (await reached(stage, isSoaking));
    case 'pause':
      return void (await steer('pause'));
    case 'wave':
      await steer('promote');
      return void (await reached(stage, ({ wave }) => wave > 0));
    case 'proven':
      return void (await reached(stage, ({ state }) => state === 'proven'));
  }
}

const data = () => join(servers.first.directory, 'data');
const backup = (stage: Stage) => join(fleet.directory, `backup-${stage}`);

/** ZooKeeper comes up on a backup of its data, or on none. */
async function loseData(from: Stage | 'nothing'): Promise<void> {
  await servers.first.stop();
  await rm(data(), { recursive: true });
  if (from !== 'nothing') await cp(backup(from), data(), { recursive: true });
  await servers.first.start();
  await fleet.session.connected();
}

const shownNow = () => agents.map((agent) => shown(agent, 'shop'));

/** What a command said, with names in place of ids, ages and addresses. */
async function told(...args: string[]): Promise<string> {
  const ran = await fleet.run(...args);
  let text = `> gitfleet ${args.join(' ')}\n${ran.stdout}${ran.stderr}exit code ${ran.exitCode}\n`;
  for (const [id, name] of names) text = text.replaceAll(new RegExp(`${id.slice(0, 7)}[0-9a-f]*`, 'g'), name);
  // Which of them speaks first is a matter of milliseconds.
  text = text.replace(/\((the coordinator saw it|.* accepted a newer target before)\)/, '(WHO)');
  text = text.replace(/coordinator: web-\d/, 'coordinator: WHO');
  return text
    .replaceAll(origin.url, 'URL')
    .replaceAll(/[\d.]+ ?(ms|s|min)\b +/g, 'AGE  ')
    .replaceAll(/[\d.]+ ?(ms|s|min)\b/g, 'AGE');
}

/** Does what status says, and waits until that is proven. */
async function publishAgain(...more: string[]): Promise<void> {
  await fleet.session.set(fleet.znodes.policy, FAST, -1);
  const { exitCode, stderr } = await fleet.run('publish', '--again', '--no-check', ...more);
  expect(exitCode, stderr).toBe(0);
}

describe('ZooKeeper is set back to the stage of an earlier rollout', () => {
  let last: string;

  beforeAll(async () => {
    await publish(SLOW);
    for (const stage of STAGES) {
      await reach(stage);
      await cp(data(), backup(stage), { recursive: true });
    }
    last = await publish(FAST);
    await proven(last);
  });

  it.each(STAGES)('%s: nothing moves, status says what to do, and doing it works', async (stage) => {
    await loseData(stage);
    for (const { id } of agents) await fleet.reported(id, 'refuses', ({ error }) => error?.code === 'TARGET_WENT_BACK');
    const held = await reached('no order', ({ state }) => state !== 'running');
    expect(held.state).toBe(
      { canary: 'halted', soak: 'halted', wave: 'halted', pause: 'paused', proven: 'proven' }[stage],
    );
    const said = await told('status');
    expect(said).toContain(`next: gitfleet publish --again (publishes ${names.get(last)}, which 3 agents show)`);
    if (stage === 'canary') await expect(said).toMatchFileSnapshot('golden/set-back.txt');
    expect(shownNow()).toEqual([last, last, last]);
    await publishAgain();
    await proven(last);
    expect(shownNow()).toEqual([last, last, last]);
  });
});

describe('ZooKeeper is wiped in the stage of a rollout', () => {
  it.each(STAGES)('%s: nothing moves, status says what to do, and doing it works', async (stage) => {
    await publish(SLOW);
    for (const each of STAGES.slice(0, STAGES.indexOf(stage) + 1)) await reach(each);
    await loseData('nothing');
    const before = shownNow();
    const missing = stage === 'canary' ? await told('status') : '';
    await initApp(fleet.session, fleet.znodes, openAccess);
    await until('all report', async () => (await fleet.session.children(fleet.znodes.agents))?.length === 3);
    await until('one leads', async () => ((await fleet.session.children(fleet.znodes.election)) ?? []).length > 0);
    const said = await told('status');
    const most = mostOf(before);
    expect(said).toContain(`next: gitfleet publish --again (publishes ${names.get(most)}, which `);
    const words = `${missing}\n${said}`.replaceAll(names.get(most) ?? '', 'COMMIT');
    if (stage === 'canary') await expect(words).toMatchFileSnapshot('golden/wiped.txt');
    expect(shownNow()).toEqual(before);
    await publishAgain('--url', origin.url);
    await proven(most);
    expect(shownNow()).toEqual([most, most, most]);
  });
});

/** What two of three show, or all. */
const mostOf = (shown: readonly (string | null)[]): string =>
  shown.find((each, at) => each !== null && shown.indexOf(each) !== at) ?? '';
