import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openAccess } from '../../../fleet/access.ts';
import { initApp } from '../../../fleet/app.ts';
import { readDeployment } from '../../../fleet/history.ts';
import { encodeRollout, parseRollout, type Rollout } from '../../../schemas/rollout.ts';
import type { SignedTarget } from '../../../schemas/signed/signed-target.ts';
import { membersOf } from '../../../schemas/target.ts';
import { gitfleet, gitSaying } from '../../support/commands.ts';
import { type Origin, shownCommit, type TestAgent, TestFleet } from '../../support/fleet.ts';
import { commitOnly } from '../../support/git/host.ts';
import { lineOf, signedConfig, type TestKey, TestSigners } from '../../support/signers.ts';
import { until } from '../../support/until.ts';
import { realServers } from '../../support/zookeeper/server.ts';

const servers = realServers(1);
const AUDIENCE = 'shop-production';
let fleet: TestFleet;
let signers: TestSigners;
let [key, next] = [] as unknown as [TestKey, TestKey];

beforeAll(async () => {
  signers = await TestSigners.create();
  [key, next] = [await signers.key('key'), await signers.key('next')];
});
afterAll(() => signers.remove());
beforeEach(async () => {
  fleet = await TestFleet.create(servers.connect());
  await signers.allow([lineOf('ann@example.com', key)]);
});
afterEach(() => fleet.stop());

const bad = ['sh', '-c', '! test -e bad'];
/** A release with a file named `bad` fails its health check. */
const requiring = (target: 'required' | 'off' = 'required') => ({
  zookeeper: { sessionTimeout: '4s' },
  agent: {
    verify: { target, audience: AUDIENCE, signersFile: signers.file },
    resyncInterval: '2s',
    health: { checks: [{ command: bad }], interval: '100ms', rise: 1, healthyFor: '100ms', fall: 1, start: '0s' },
  },
});
const SIGNED = () => ['--sign-key', key.file, '--audience', AUDIENCE];

const publish = (origin: Origin, commitId: string, ...more: string[]) =>
  fleet.publish({ url: origin.url, commitId }, ...more);

const refused = (code: string) => fleet.reported('web-1', code, ({ error }) => error?.code === code);

const config = async () => (await fleet.session.get(fleet.znodes.config))?.data ?? Buffer.alloc(0);

const rollout = async (): Promise<Rollout> => {
  const node = await fleet.session.get(fleet.znodes.rollout);
  return (node && parseRollout(node.data)) as Rollout;
};

async function setPolicy(text: string): Promise<void> {
  const file = join(fleet.directory, 'policy.yml');
  await writeFile(file, text);
  expect((await fleet.run('policy', 'set', file)).exitCode).toBe(0);
}

describe('a fleet that requires signed targets', () => {
  it('shows what is signed, says so before what is not, and refuses foreign plain writers with a hint', async () => {
    const agent = await fleet.startAgent('web-1', { settings: requiring() });
    await fleet.online(1);
    const origin = await fleet.origin();
    const [a, b] = [await origin.commit('a', { f: 'a' }), await origin.commit('b', { f: 'b' })];
    const plain = await publish(origin, a);
    expect(plain).toMatchObject({ exitCode: 5, stdout: '' });
    expect(plain.stderr).toContain('1 of 1 agents require a signature, and no key is given here');
    expect(plain.stderr).toContain(`--sign-key FILE --audience ${AUDIENCE}`);
    expect(await config()).toHaveLength(0);
    expect(await publish(origin, a, '--sign-key', key.file, '--audience', 'shop-staging')).toMatchObject({
      exitCode: 5,
    });
    expect(await publish(origin, a, ...SIGNED())).toMatchObject({ exitCode: 0, stderr: '' });
    expect(await shownCommit(agent.root, 'shop')).toBe(a);

    await fleet.setConfig(JSON.stringify({ url: origin.url, commitId: b, relativePath: 'shop' }));
    const report = await refused('SIGNATURE_MISSING');
    expect(report.error?.hint).toContain('gitfleet publish COMMIT --sign-key FILE');
    expect(await shownCommit(agent.root, 'shop')).toBe(a);
    const unknown = await publish(origin, b, '--sign-key', next.file, '--audience', AUDIENCE, '--timeout', '5s');
    expect(unknown.stdout + unknown.stderr).toContain('UNKNOWN_SIGNER');
    expect(await publish(origin, b, ...SIGNED())).toMatchObject({ exitCode: 0, stderr: '' });
    expect(await shownCommit(agent.root, 'shop')).toBe(b);
  });

  it('says before the publish that some agents require a signature', async () => {
    await fleet.startAgent('web-1', { settings: requiring() });
    await fleet.startAgent('web-2', { settings: requiring('off') });
    await fleet.online(2);
    const origin = await fleet.origin();
    const a = await origin.commit('a', { f: 'a' });
    const words = '1 of 2 agents require a signature, and no key is given here: they will refuse this target';
    const where = ['--url', origin.url, '--relative-path', 'shop'];
    expect((await fleet.run('plan', a, ...where)).stdout).toContain(words);
    expect((await publish(origin, a, '--detach')).stderr).toContain(words);
    await fleet.reported('web-2', 'shown', ({ phase }) => phase === 'active');
    await refused('SIGNATURE_MISSING');
  });

  it('rotates its keys without a restart: two overlap, and the one that is gone deploys nothing', async () => {
    const agent = await fleet.startAgent('web-1', { settings: requiring() });
    await fleet.online(1);
    const origin = await fleet.origin();
    const [a, b, c] = [await origin.commit('a', {}), await origin.commit('b', {}), await origin.commit('c', {})];
    expect((await publish(origin, a, ...SIGNED())).exitCode).toBe(0);
    const withNext = ['--sign-key', next.file, '--audience', AUDIENCE];
    await publish(origin, b, ...withNext, '--detach');
    await refused('UNKNOWN_SIGNER');
    // The list changes, and nothing rings: the agent looks again.
    await signers.allow([lineOf('ann@example.com', key), lineOf('ann@example.com', next)]);
    await fleet.reported('web-1', 'shown', ({ phase }) => phase === 'active');
    expect(await shownCommit(agent.root, 'shop')).toBe(b);
    await signers.allow([lineOf('ann@example.com', next)]);
    await publish(origin, c, ...SIGNED(), '--detach');
    await refused('UNKNOWN_SIGNER');
    expect(await shownCommit(agent.root, 'shop')).toBe(b);
    expect((await publish(origin, c, ...withNext)).exitCode).toBe(0);
  });
});

describe('git push', () => {
  it('is signed by the hook, which says by whom; status, history and doctor show it', async () => {
    const agent = await fleet.startAgent('web-1', { settings: requiring() });
    await fleet.online(1);
    const origin = await fleet.origin();
    const install = ['hook', 'install', origin.bare, '--relative-path', 'shop'];
    expect((await fleet.run(...install)).stdout).toContain('signs nothing, so agents can require no signature');
    const a = await commitOnly(origin.clone, 'a');
    expect((await gitSaying(origin.clone, 'push', 'origin', 'HEAD:main')).stderr).toContain('SIGNATURE_MISSING');
    expect((await fleet.run(...install, ...SIGNED())).stdout).toContain(`signs with ${key.file} for ${AUDIENCE}`);
    expect((await fleet.run(...install, '--sign-key', key.file)).exitCode).toBe(2);
    expect((await gitfleet(['hook', 'status', origin.bare])).stdout).toContain(`signs with ${key.file}`);
    const b = await commitOnly(origin.clone, 'b');
    const { stderr } = await gitSaying(origin.clone, 'push', 'origin', 'HEAD:main');
    expect(stderr).toMatch(/remote: {3}signed with SHA256:[A-Za-z0-9+/]{43}/);
    expect(stderr).toContain('1/1 online agents');
    expect(await shownCommit(agent.root, 'shop')).toBe(b);
    expect(a).not.toBe(b);
    expect((await fleet.run('status')).stdout).toContain(
      'signed by ann@example.com; 1 of 1 agents require a signature',
    );
    expect((await fleet.run('status', 'web-1')).stdout).toMatch(
      /requires +a signature for shop-production[\s\S]*signer +ann/,
    );
    expect((await fleet.run('history')).stdout).toMatch(/d-2 .*\(signed with SHA256:[A-Za-z0-9+/]{8}\)/);
    const doctor = await fleet.run('doctor', '--root', agent.root, '--state', agent.state);
    expect(doctor.stdout).toContain('1 of 1 agents require a signature, and no key is given here');
  });
});

describe('who can write ZooKeeper, and has no key,', () => {
  let origin: Origin;
  let agent: TestAgent;
  let commits: string[];
  const shown = () => shownCommit(agent.root, 'shop');

  /** Three deployments that ended well, the third being shown; a fourth commit that nobody signed. */
  beforeEach(async () => {
    agent = await fleet.startAgent('web-1', { settings: requiring() });
    await fleet.online(1);
    origin = await fleet.origin();
    commits = [];
    for (const name of ['a', 'b', 'c', 'd']) commits.push(await origin.commit(name, { f: name }));
    for (const commitId of commits.slice(0, 3)) {
      expect((await publish(origin, commitId, ...SIGNED())).exitCode).toBe(0);
    }
  });

  const said = (commitId: string, more: object = {}): SignedTarget => ({
    ...{ version: 1, audience: AUDIENCE, app: fleet.app, url: origin.url, commitId, relativePath: 'shop', ref: null },
    issuedAt: Date.now(),
    ...more,
  });
  const recorded = async (number: number) => {
    const record = await readDeployment(fleet.session, fleet.znodes, number);
    if (!record) throw new Error(`d-${number} is gone`);
    return membersOf(record.target);
  };

  it('deploys nothing new: each way is tried, the release stays, and the next honest publish deploys', async () => {
    const [, , c, d] = commits as [string, string, string, string];
    const tries: [string, unknown, string][] = [
      ['a commit nobody signed', { url: origin.url, commitId: d, relativePath: 'shop' }, 'SIGNATURE_MISSING'],
      ['that commit in the envelope of another', { ...(await recorded(3)), commitId: d }, 'SIGNATURE_INVALID'],
      ['a key of its own', await signedConfig(said(d), next), 'UNKNOWN_SIGNER'],
      ['the target of staging', await signedConfig(said(d, { audience: 'shop-staging' }), key), 'AUDIENCE'],
      ['the target of another app', await signedConfig(said(d, { app: '/app/other' }), key), 'AUDIENCE'],
      ['an older release', await recorded(1), 'REPLAYED'],
      [
        'another allowed url',
        { ...(await recorded(3)), url: `file://${fleet.directory}/fork.git` },
        'SIGNATURE_INVALID',
      ],
    ];
    for (const [what, value, code] of tries) {
      await fleet.setConfig(JSON.stringify(value));
      await fleet.reported('web-1', `${what}: ${code}`, ({ error }) => error?.code === code);
      expect(await shown(), what).toBe(c);
    }
    // The number is not signed, and nothing hangs on it.
    await fleet.session.set(fleet.znodes.deployments, Buffer.from('999999999999990'), -1);
    expect((await publish(origin, d, ...SIGNED())).exitCode).toBe(0);
    expect(await shown()).toBe(d);
  });

  it('toggles between the newest and the good one, and a server that is new takes any one that was signed', async () => {
    const [a, b, c] = commits as [string, string, string];
    for (const [number, commitId] of [
      [2, b],
      [3, c],
      [2, b],
    ] as const) {
      await fleet.setConfig(JSON.stringify(await recorded(number)));
      await fleet.reported(
        'web-1',
        'toggled',
        ({ phase, activeCommit }) => phase === 'active' && activeCommit === commitId,
      );
    }
    await fleet.setConfig(JSON.stringify(await recorded(1)));
    await refused('REPLAYED');
    expect(await shown()).toBe(b);
    const fresh = await fleet.startAgent('web-2', { settings: requiring() });
    await fleet.reported('web-2', 'shown', ({ phase }) => phase === 'active');
    expect(await shownCommit(fresh.root, 'shop')).toBe(a);
  });

  it('does not bring a base past the door, nor an unsigned one to a server that serves nothing', async () => {
    const [, , , d] = commits as [string, string, string, string];
    const { gitfleet: envelope } = await recorded(3);
    await until(
      'd-3 is proven',
      async () => (await rollout()).deployment === 3 && (await rollout()).state === 'proven',
    );
    await agent.kill('SIGTERM');
    const plain = { url: origin.url, commitId: d, relativePath: 'shop' };
    const bases = { 'new-1': plain, 'new-2': { ...plain, ...envelope } };
    for (const [id, base] of Object.entries(bases)) {
      const hostile = {
        ...(await rollout()),
        state: 'paused',
        paused: { by: 'thief', reason: '', at: 0 },
        permits: true,
        base: { deployment: 3, ...base },
      } as const;
      await fleet.session.set(fleet.znodes.rollout, encodeRollout(hostile), -1);
      const fresh = await fleet.startAgent(id, { settings: requiring() });
      await fleet.reported(id, 'waits', ({ phase }) => phase === 'awaiting');
      expect(await fresh.log()).toMatch(id === 'new-1' ? /SIGNATURE_MISSING/ : /SIGNATURE_INVALID/);
      await expect(shownCommit(fresh.root, 'shop')).rejects.toThrow();
      await fresh.kill('SIGTERM');
    }
  });

  it('cannot brick the fleet by a rebuilt ZooKeeper: the numbers begin again, the order of signing does not', async () => {
    const [, , c, d] = commits as [string, string, string, string];
    const old = await recorded(1);
    const { session, znodes } = fleet;
    for (const number of [1, 2, 3]) {
      await session.remove(znodes.deployment(number), -1);
      await session.remove(znodes.outcome(number), -1).catch(() => {});
    }
    await session.set(znodes.deployments, Buffer.from(''), -1);
    await initApp(session, znodes, openAccess);
    await fleet.setConfig(JSON.stringify(old));
    await refused('REPLAYED');
    expect(await shown()).toBe(c);
    expect((await publish(origin, d, ...SIGNED())).exitCode).toBe(0);
    expect(await shown()).toBe(d);
  });
});

describe('every way back keeps the envelope', () => {
  it('an automatic rollback, also on a server that was started in between; a rollback without and with a key', async () => {
    await setPolicy('maxParallel: 1\nsoak: 0s\ncanary: 1\nonFailure: rollback\ndeadline: 60s\n');
    const one = await fleet.startAgent('web-1', { settings: requiring() });
    const two = await fleet.startAgent('web-2', { settings: requiring() });
    await fleet.online(2);
    const origin = await fleet.origin();
    const a = await origin.commit('a', { f: 'a' });
    expect((await publish(origin, a, ...SIGNED())).exitCode).toBe(0);
    const envelope = (await readDeployment(fleet.session, fleet.znodes, 1))?.target;
    expect(envelope).toMatchObject({ signed: expect.any(String), signature: expect.stringContaining('BEGIN SSH') });
    expect((await rollout()).base).toMatchObject(envelope as object);

    const wrong = await origin.commit('wrong', { bad: 'x' });
    expect((await publish(origin, wrong, ...SIGNED())).exitCode).toBe(3);
    expect((await readDeployment(fleet.session, fleet.znodes, 3))?.target).toEqual(envelope);
    const three = await fleet.startAgent('web-3', { settings: requiring() });
    for (const agent of [one, two, three]) {
      await fleet.reported(agent.id, 'back', ({ phase, activeCommit }) => phase === 'active' && activeCommit === a);
      expect(await shownCommit(agent.root, 'shop')).toBe(a);
    }

    await rm(join(origin.clone, 'bad'));
    const good = await origin.commit('good', { f: 'good' });
    expect((await publish(origin, good, ...SIGNED())).exitCode).toBe(0);
    // Without a key: what each agent accepted before the newest, and ended well there.
    const back = await fleet.run('rollback', 'd-1', '--timeout', '60s');
    expect(back).toMatchObject({ exitCode: 0 });
    expect(back.stderr).toContain('3 of 3 agents require a signature');
    expect((await readDeployment(fleet.session, fleet.znodes, 5))?.target).toEqual(envelope);
    // With a key it is a new word, for every server.
    expect((await fleet.run('rollback', 'd-4', '--timeout', '60s', ...SIGNED())).exitCode).toBe(0);
    expect(await shownCommit(three.root, 'shop')).toBe(good);
    expect((await fleet.run('rollback', 'd-1', '--timeout', '60s', ...SIGNED())).exitCode).toBe(0);
    expect(await shownCommit(three.root, 'shop')).toBe(a);
  });
});
