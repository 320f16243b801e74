import { readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { git, gitSaying } from '../../support/commands.ts';
import { type Origin, shownCommit, type TestAgent, TestFleet } from '../../support/fleet.ts';
import { type TestKey, TestSigners } from '../../support/signers.ts';
import { realServers } from '../../support/zookeeper/server.ts';

const servers = realServers(1);
let fleet: TestFleet;
let signers: TestSigners;
let key: TestKey;
let origin: Origin;
let agent: TestAgent;

beforeAll(async () => {
  signers = await TestSigners.create();
  key = await signers.key('key');
});
afterAll(() => signers.remove());
beforeEach(async () => {
  fleet = await TestFleet.create(servers.connect());
  origin = await fleet.origin();
  await git(origin.bare, 'config', 'uploadpack.allowFilter', 'true');
  await git(origin.bare, 'config', 'uploadpack.allowAnySHA1InWant', 'true');
});
afterEach(() => fleet.stop());

const start = async (verify: object) => {
  const settings = { zookeeper: { sessionTimeout: '4s' }, agent: { verify, resyncInterval: '2s' } };
  agent = await fleet.startAgent('web-1', { settings });
  await fleet.online(1);
};
const publish = (commitId: string, ...more: string[]) => fleet.publish({ url: origin.url, commitId }, ...more);
const shown = () => shownCommit(agent.root, 'shop');
const refused = (code: string) => fleet.reported('web-1', code, ({ error }) => error?.code === code);

/** A commit of a branch that is not merged. */
async function beside(parent: string): Promise<string> {
  const evil = await git(origin.clone, 'commit-tree', `${parent}^{tree}`, '-p', parent, '-m', 'evil');
  await git(origin.clone, 'push', '--quiet', 'origin', `${evil}:refs/heads/feature`);
  return evil;
}

describe('an agent that accepts only merged commits', () => {
  it('keeps what it shows under every other commit and url, and deploys the next good one', async () => {
    await start({ reachableFrom: [{ url: origin.url, refs: ['refs/heads/main'] }] });
    const [a, b] = [await origin.commit('a', { f: 'a' }), await origin.commit('b', { f: 'b' })];
    expect((await publish(b)).exitCode).toBe(0);
    const evil = await beside(b);
    await fleet.setConfig(JSON.stringify({ url: origin.url, commitId: evil, relativePath: 'shop' }));
    const report = await refused('NOT_ON_BRANCH');
    expect(report.error?.hint).toContain('agent.verify.reachableFrom');
    expect(await shown()).toBe(b);
    const other = await fleet.origin('other');
    const foreign = await other.commit('x', { f: 'x' });
    await fleet.setConfig(JSON.stringify({ url: other.url, commitId: foreign, relativePath: 'shop' }));
    await refused('NOT_ALLOWED');
    expect(await shown()).toBe(b);
    expect((await publish(a)).exitCode).toBe(0);
    expect(await shown()).toBe(a);
    // What was found once stays: the branch is gone, and the kept release is shown again.
    await git(origin.bare, 'update-ref', '-d', 'refs/heads/main');
    expect((await publish(b)).exitCode).toBe(5);
    expect((await publish(b, '--no-check')).exitCode).toBe(0);
    expect(await shown()).toBe(b);
    const memory = JSON.parse(
      await readFile(join(agent.state, 'apps', fleet.app.slice(1).replaceAll('/', '+'), 'vouched.json'), 'utf8'),
    );
    expect(memory.found.map(({ commitId }: { commitId: string }) => commitId)).toEqual([b, a]);
    // A person on the server is not asked for a branch.
    expect((await fleet.run('agent', 'rollback', '--root', agent.root, '--state', agent.state)).exitCode).toBe(0);
  });
});

describe('an agent that requires signed commits', () => {
  it('shows a signed commit and no other, until a key is listed', async () => {
    await start({ commit: 'required', signersFile: signers.file });
    await signers.allow([`ann@example.com namespaces="git" ${key.publicKey}`]);
    const plain = await origin.commit('plain', { f: 'a' });
    await fleet.setConfig(JSON.stringify({ url: origin.url, commitId: plain, relativePath: 'shop' }));
    await refused('COMMIT_UNSIGNED');
    await expect(shown()).rejects.toThrow();
    const own = ['-c', 'gpg.format=ssh', '-c', `user.signingkey=${key.file}`];
    await git(origin.clone, ...own, 'commit', '--quiet', '--amend', '-S', '--no-edit');
    await git(origin.clone, 'push', '--quiet', '--force', 'origin', 'HEAD:main');
    const signed = await git(origin.clone, 'rev-parse', 'HEAD');
    expect((await publish(signed)).exitCode).toBe(0);
    expect(await shown()).toBe(signed);
    await git(origin.clone, ...own, 'tag', '-s', '-m', 'release', 'v1', plain);
    await git(origin.clone, 'push', '--quiet', 'origin', 'v1');
    expect((await fleet.run('publish', 'v1', '--url', origin.url, '--relative-path', 'shop')).exitCode).toBe(0);
    expect(await shown()).toBe(plain);
    // The way back names no tag, and needs neither the origin nor what the process remembers.
    expect((await publish(signed)).exitCode).toBe(0);
    await agent.restart();
    await fleet.online(1);
    await rename(origin.bare, `${origin.bare}.away`);
    expect((await fleet.run('rollback')).exitCode).toBe(0);
    expect(await shown()).toBe(plain);
  });
});

describe('git push', () => {
  it('says before it publishes which agents will refuse the commit, and for what; status and plan show it too', async () => {
    const rules = { reachableFrom: [{ url: origin.url, refs: ['refs/heads/stable'] }] };
    await start({ ...rules, commit: 'required', signersFile: signers.file });
    expect((await fleet.run('hook', 'install', origin.bare, '--relative-path', 'shop')).exitCode).toBe(0);
    await git(origin.clone, 'commit', '--quiet', '--allow-empty', '-m', 'a');
    const { stderr } = await gitSaying(origin.clone, 'push', 'origin', 'HEAD:main');
    const lines = stderr.split('\n');
    const at = (words: string) => lines.findIndex((line) => line.includes(words));
    expect(at('agents accept only commits on refs/heads/stable')).toBeGreaterThanOrEqual(0);
    expect(at('agents accept only commits on refs/heads/stable')).toBeLessThan(at('d-1'));
    expect(stderr).toContain('COMMIT_UNSIGNED');
    expect((await fleet.run('status', 'web-1')).stdout).toMatch(
      /requires +a commit on refs\/heads\/stable; a signed commit/,
    );
    const where = ['--url', origin.url, '--relative-path', 'shop'];
    const commitId = await git(origin.clone, 'rev-parse', 'HEAD');
    const plan = await fleet.run('plan', commitId, ...where);
    expect(plan.stdout).toContain('NOT_ON_BRANCH');
    expect((await publish(commitId)).exitCode).toBe(5);
  });

  it('publishes nothing that its signature should not cover', async () => {
    await start({ reachableFrom: [{ url: origin.url, refs: ['refs/heads/stable'] }] });
    const signing = ['--sign-key', key.file, '--audience', 'shop-production'];
    await fleet.run('hook', 'install', origin.bare, '--relative-path', 'shop', ...signing);
    await git(origin.clone, 'commit', '--quiet', '--allow-empty', '-m', 'a');
    const refused = await gitSaying(origin.clone, 'push', 'origin', 'HEAD:main');
    expect(refused.stderr).toContain('pushed, but not deployed');
    expect((await fleet.session.get(fleet.znodes.config))?.data).toHaveLength(0);
    await git(origin.clone, 'push', '--quiet', 'origin', 'HEAD:stable');
    await git(origin.clone, 'commit', '--quiet', '--allow-empty', '--amend', '-m', 'b');
    await gitSaying(origin.clone, 'push', 'origin', 'HEAD:stable', '--force');
    const pushed = await gitSaying(origin.clone, 'push', '--force', 'origin', 'HEAD:main');
    expect(pushed.stderr).toContain('1/1 online agents');
  });
});
