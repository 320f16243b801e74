import { createHash } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parseCredentials } from '../../../fleet/enrolment/credentials.ts';
import { makeBundle } from '../../../git/host/make-bundle.ts';
import { createGit } from '../../../git/run/process.ts';
import { systemClock } from '../../../runtime/clock.ts';
import type { BundleMember } from '../../../schemas/records/bundle.ts';
import { parseReport, type Report } from '../../../schemas/report.ts';
import { parseRollout } from '../../../schemas/rollout.ts';
import { ANY_URL, parseTarget, targetVersionOf } from '../../../schemas/target.ts';
import type { CommitId } from '../../../schemas/values.ts';
import type { Session } from '../../../zookeeper/session.ts';
import { gitfleet } from '../../support/commands.ts';
import { type Origin, shownCommit, type TestAgent, TestFleet } from '../../support/fleet.ts';
import { silentLog } from '../../support/log.ts';
import { lineOf, signedConfig, type TestKey, TestSigners } from '../../support/signers.ts';
import { until } from '../../support/until.ts';
import { sessionsForTest } from '../../support/zookeeper/session.ts';
import { sharedServer } from '../../support/zookeeper/shared.ts';

const servers = sharedServer();
const openSession = sessionsForTest();
const AUDIENCE = 'shop-production';
let fleet: TestFleet;
let signers: TestSigners;
let key: TestKey;
let operator: Session;
let origin: Origin;
let apps = 0;

beforeAll(async () => {
  signers = await TestSigners.create();
  key = await signers.key('key');
  await signers.allow([lineOf('ann@example.com', key)]);
});
afterAll(() => signers.remove());
beforeEach(async () => {
  fleet = await TestFleet.create(servers.connect(), `/bundles-${apps++}/business`, { open: false });
  const parsed = parseCredentials(await readFile(auth('operator'), 'utf8'));
  if (!('auth' in parsed)) throw new Error(`line ${parsed.badLine}`);
  operator = openSession(fleet.zookeeper, { auth: parsed.auth });
  origin = await fleet.origin();
});
afterEach(() => fleet.stop());

const auth = (role: string) => join(fleet.directory, 'gitfleet-credentials', `${role}.auth`);
const SIGNED = () => ['--sign-key', key.file, '--audience', AUDIENCE, '--auth-file', auth('publisher')];
const BUNDLED = ['--bundle', '--bundle-in-clear'];

async function startAgents(count: number): Promise<TestAgent[]> {
  const verify = { target: 'required' as const, audience: AUDIENCE, signersFile: signers.file };
  const settings = {
    zookeeper: { authFile: auth('agent'), sessionTimeout: '4s' },
    coordinator: { authFile: auth('coordinator') },
    agent: { verify, objects: 'signed' as const },
  };
  const agents = await fleet.startAgents(count, { settings });
  await until('all are online', async () => (await operator.children(fleet.znodes.online))?.length === count);
  return agents;
}

/** From the clone: it has the objects. */
const publish = (commitId: string, ...more: string[]) =>
  gitfleet(
    ['publish', commitId, '--url', origin.url, '--relative-path', 'shop', '--timeout', '60s', ...more].concat([
      ...['-z', fleet.zookeeper, '--app', fleet.app],
    ]),
    { cwd: origin.clone },
  );

const config = async () => {
  const node = await operator.get(fleet.znodes.config);
  const read = node && parseTarget(node.data, ANY_URL);
  if (!node || !read?.ok) throw new Error('config holds no target');
  return { target: read.target, targetVersion: targetVersionOf(node.stat) };
};

/** That agent's report about the present target, once it fits. */
const reported = (id: string, fits: (report: Report) => boolean): Promise<Report> =>
  until(`${id} reports it`, async () => {
    const [node, { targetVersion }] = await Promise.all([operator.get(fleet.znodes.report(id)), config()]);
    const report = node && parseReport(node.data);
    return report?.targetVersion === targetVersion && fits(report) ? report : null;
  });

const isActive = ({ phase }: Report) => phase === 'active';
const sourceOf = async (id: string) => (await reported(id, isActive)).objects;

const bundles = async () => (await operator.children(fleet.znodes.objects)) ?? [];

/**
 * Publishes commit after commit until one has its bundle: on a busy machine a publisher may not have it within the time
 * that it may cost, and then publishes without.
 */
async function bundled(publishOne: (name: string) => Promise<string>, name: string) {
  for (let n = 0; n < 10; n++) {
    const commitId = await publishOne(`${name} ${n}`);
    const { target } = await config();
    expect(target.commitId).toBe(commitId);
    const { bundle } = target.gitfleet ?? {};
    if (bundle) return { commitId, bundle };
  }
  throw new Error('ten publishes, and no bundle');
}

/** Commits, pushes and publishes. */
async function pushed(name: string): Promise<string> {
  const commitId = await origin.commit(name, { f: name });
  expect(await publish(commitId, ...SIGNED(), ...BUNDLED)).toMatchObject({ exitCode: 0, stderr: '' });
  return commitId;
}

async function packOf(base: string, commitId: string): Promise<Buffer> {
  const git = createGit({ clock: systemClock, log: silentLog, path: process.env['PATH'] });
  const wanted = { base: base as CommitId, commitId: commitId as CommitId };
  const pack = await makeBundle(git, { cwd: origin.clone }, wanted, 1 << 18, new AbortController().signal);
  if (pack === null) throw new Error('no pack');
  return pack;
}

/** Sets config to a signed target, as a foreign writer with the key. */
async function target(commitId: string, issuedAt: number, bundle: object): Promise<void> {
  const said = { version: 1, audience: AUDIENCE, app: fleet.app, url: origin.url, commitId, issuedAt } as const;
  const signed = await signedConfig({ ...said, relativePath: 'shop', ref: null }, key, { bundle });
  await operator.set(fleet.znodes.config, Buffer.from(JSON.stringify(signed)), -1);
}

describe('a bundle', () => {
  it('brings a signed change to a fleet of which one agent asks the origin', async () => {
    const agents = await startAgents(3);
    const a = await origin.commit('a', { f: 'a', g: 'g' });
    expect(await publish(a, ...SIGNED(), ...BUNDLED)).toMatchObject({ exitCode: 0, stderr: '' });
    expect(await bundles()).toEqual([]); // There was nothing to begin from.
    const { commitId: b, bundle } = await bundled(pushed, 'b');
    expect(await bundles()).toContain(bundle.digest);
    for (const { id, root } of agents) {
      expect(await sourceOf(id)).toEqual({ from: id === bundle.asks ? 'origin' : 'bundle', passedOver: null });
      expect(await shownCommit(root, 'shop')).toBe(b);
    }
    const shown = await fleet.run('status', agents[0]?.id as string, '--auth-file', auth('viewer'));
    expect(shown.stdout).toMatch(/objects +from the (bundle|origin)\n/);

    // The hook does the same, and the newest three are kept.
    const install = ['hook', 'install', origin.bare, '--relative-path', 'shop', '--url', origin.url, ...SIGNED()];
    const installed = await fleet.run(...install, ...BUNDLED);
    expect(installed).toMatchObject({ exitCode: 0 });
    expect(installed.stdout).toContain('puts small changes into ZooKeeper for the agents (in-clear)');
    for (const name of ['c', 'd', 'e', 'h']) {
      await bundled((each) => origin.commit(each, { f: each }), name);
      for (const { id } of agents) await reported(id, isActive);
    }
    expect((await bundles()).length).toBe(3);
    expect(await bundles()).toContain((await config()).target.gitfleet?.bundle?.digest);

    // The origin is gone: only the agent that has to ask it does not arrive.
    const last = await origin.commit('last', { f: 'last' });
    for (const { id } of agents) await reported(id, isActive);
    await rename(origin.bare, `${origin.bare}.away`);
    const z = await gitIn(origin.clone, 'z');
    const pack = await packOf(last, z);
    const digest = createHash('sha256').update(pack).digest('hex');
    await operator.create(fleet.znodes.bundle(digest), pack, 'persistent');
    const asks = 'web-2';
    await target(z, Date.now(), { digest, base: last, size: pack.length, asks });
    const others = agents.filter(({ id }) => id !== asks);
    expect(others).toHaveLength(2);
    for (const { id, root } of others) {
      await reported(id, isActive);
      expect(await shownCommit(root, 'shop')).toBe(z);
    }
    const waiting = await reported(asks, ({ error }) => error !== null);
    expect(waiting).toMatchObject({ activeCommit: last });
  });

  it('is asked of the origin first by the canary of a policy', async () => {
    const agents = await startAgents(3);
    await writeFile(join(fleet.directory, 'policy.yml'), 'canary: 1\nmaxParallel: 3\n');
    const set = await fleet.run('policy', 'set', 'policy.yml', '--auth-file', auth('operator'));
    expect(set).toMatchObject({ exitCode: 0 });
    await pushed('a');
    const { bundle } = await bundled(pushed, 'b');
    const rollout = parseRollout((await operator.get(fleet.znodes.rollout))?.data ?? Buffer.alloc(0));
    const origins = [...(rollout?.canary ?? []), bundle.asks];
    expect(rollout?.canary).toHaveLength(1);
    for (const { id } of agents)
      expect(await sourceOf(id), id).toEqual({ from: origins.includes(id) ? 'origin' : 'bundle', passedOver: null });
  });

  it('is passed over where it is not what the target says, and the agent says why', async () => {
    const [agent] = await startAgents(1);
    const first = await origin.commit('first', { f: 'first' });
    let issuedAt = Date.now() - 60_000;
    const put = async (data: Buffer, member: Partial<BundleMember>, commitId: string, base: string) => {
      const digest = createHash('sha256').update(data).digest('hex');
      const name = member.digest ?? digest;
      if (member.size !== 0) await operator.create(fleet.znodes.bundle(name), data, 'persistent').catch(() => {});
      const bundle = { digest, base, ...member, size: member.size || data.length };
      issuedAt += 1;
      await target(commitId, issuedAt, bundle);
    };
    await put(Buffer.from('x'), {}, first, first);
    let base = first;
    const cases: [string, (pack: Buffer) => [Buffer, Partial<BundleMember>]][] = [
      ['altered', (pack) => [Buffer.concat([pack, Buffer.from('x')]), { digest: 'a'.repeat(64) }]],
      ['altered', (pack) => [pack, { size: pack.length - 1 }]],
      ['absent', (pack) => [pack, { digest: 'b'.repeat(64), size: 0 }]],
      ['base', (pack) => [pack, { base: 'c'.repeat(40) as CommitId }]],
      ['pack', (pack) => [pack.subarray(0, -1), {}]],
    ];
    for (const [n, [why, make]] of cases.entries()) {
      await reported('web-1', isActive);
      const next = await origin.commit(`${n}`, { f: `${n}` });
      const [data, member] = make(await packOf(base, next));
      await put(data, member, next, base);
      expect(await sourceOf('web-1'), why).toEqual({ from: 'origin', passedOver: why });
      expect(await shownCommit((agent as TestAgent).root, 'shop')).toBe(next);
      base = next;
    }
    const shown = await fleet.run('status', 'web-1', '--auth-file', auth('viewer'));
    expect(shown.stdout).toContain('from the origin: the bundle was passed over (pack)');
  });

  it('is not made in clear, nor without a key', async () => {
    await startAgents(2);
    const a = await origin.commit('a', { f: 'a' });
    expect(await publish(a, ...SIGNED())).toMatchObject({ exitCode: 0 });
    const b = await origin.commit('b', { f: 'b' });
    const clear = await publish(b, ...SIGNED(), '--bundle');
    expect(clear).toMatchObject({ exitCode: 0 });
    expect(clear.stderr).toBe(
      'warning: no bundle: the connection to ZooKeeper is not encrypted; set zookeeper.tls, or' +
        ' publisher.bundleInClear: true\n',
    );
    expect(await bundles()).toEqual([]);
    for (const id of ['web-1', 'web-2']) expect(await sourceOf(id)).toMatchObject({ from: 'origin' });
    const unsigned = await publish(b, '--auth-file', auth('publisher'), ...BUNDLED);
    expect(unsigned).toMatchObject({ exitCode: 2 });
    expect(unsigned.stderr).toContain('bundle needs signKey');
  });
});

/** A commit in the clone that is not pushed. */
async function gitIn(clone: string, content: string): Promise<string> {
  const { execFileSync } = await import('node:child_process');
  const git = (...args: string[]) => execFileSync('git', args, { cwd: clone, encoding: 'utf8' }).trim();
  await writeFile(join(clone, 'f'), content);
  const who = ['-c', 'user.name=a', '-c', 'user.email=a@example.com'];
  git(...who, 'commit', '--quiet', '--all', '-m', content);
  return git('rev-parse', 'HEAD');
}
