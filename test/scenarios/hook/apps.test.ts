import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { git } from '../../support/commands.ts';
import { type Origin, shownCommit, TestFleet } from '../../support/fleet.ts';
import { commitOnly, startPush } from '../../support/git/host.ts';
import { sharedServer } from '../../support/zookeeper/shared.ts';

const servers = sharedServer();
/** Two apps on one ZooKeeper, and one repository that both are pushed to. */
let shop: TestFleet;
let till: TestFleet;
let origin: Origin;
beforeEach(async () => {
  [shop, till] = await Promise.all([TestFleet.create(servers.connect()), TestFleet.create(servers.connect())]);
  origin = await shop.origin();
});
afterEach(() => Promise.all([shop.stop(), till.stop()]));

async function install(fleet: TestFleet, branch: string, path = 'shop'): Promise<string> {
  const said = await fleet.run('hook', 'install', origin.bare, '--relative-path', path, '--branch', branch);
  expect(said).toMatchObject({ exitCode: 0 });
  return said.stdout + said.stderr;
}

async function push(...words: string[]): Promise<string> {
  const running = startPush(origin.clone, words);
  expect(await running.ended).toBe(0);
  return running.said;
}
const quickly = ['-o', 'gitfleet.wait=no', 'origin'];

const wanted = async (fleet: TestFleet) => {
  const data = (await fleet.session.get(fleet.znodes.config))?.data.toString();
  return data ? JSON.parse(data) : null;
};
const count = async (fleet: TestFleet) =>
  Number((await fleet.session.get(fleet.znodes.deployments))?.data.toString() || 0);
const pins = async () =>
  (await git(origin.bare, 'for-each-ref', '--format=%(refname)', 'refs/deployments')).split('\n').filter(Boolean);
const pinOf = (fleet: TestFleet, number: number) =>
  `refs/deployments/${fleet.app.slice(1).replaceAll('/', '+')}/${number}`;

describe('several apps in one repository', () => {
  it('each gets the branches of its pattern, and one push may reach both', async () => {
    await Promise.all([
      shop.startAgent('web-1'),
      till.startAgent('till-1', { args: ['--allow-url', `file://${shop.directory}`] }),
    ]);
    await Promise.all([shop.online(1), till.online(1)]);
    await install(shop, 'main');
    await install(till, 'release/*', 'till');
    const [one, two] = [await commitOnly(origin.clone, 'one'), await commitOnly(origin.clone, 'two')];
    const said = await push(
      'origin',
      `${one}:refs/heads/main`,
      `${two}:refs/heads/release/1`,
      `${one}:refs/heads/topic`,
    );
    expect(await shownCommit(shop.agents[0]?.root ?? '', 'shop')).toBe(one);
    expect(await shownCommit(till.agents[0]?.root ?? '', 'till')).toBe(two);
    expect((await wanted(till)).gitfleet.ref).toBe('refs/heads/release/1');
    // One tells after the other: what each says stands together.
    const words = said.split('\n').flatMap((line) => /(web-1|till-1|agents at)/.exec(line)?.[1] ?? []);
    expect([words.slice(0, 2), words.slice(2)].sort()).toEqual([
      ['till-1', 'agents at'],
      ['web-1', 'agents at'],
    ]);
  });

  it("one app's trouble is not the other's", async () => {
    await install(shop, 'main');
    await install(till, 'main');
    await git(origin.bare, 'config', `gitfleet.main ${shop.app}.zookeeper`, '127.0.0.1:1');
    const commitId = await commitOnly(origin.clone, 'one');
    const said = await push(...quickly, 'HEAD:refs/heads/main');
    expect(said).toContain('pushed, but not deployed: UNREACHABLE');
    expect((await wanted(till)).commitId).toBe(commitId);
    expect(await wanted(shop)).toBe(null);
  });

  it('a commit that was published already is followed all the same', async () => {
    await shop.startAgent('web-1');
    await shop.online(1);
    await install(shop, '*');
    const commitId = await commitOnly(origin.clone, 'one');
    await push('origin', 'HEAD:refs/heads/main');
    const said = await push('origin', 'HEAD:refs/heads/same');
    expect(said).toMatch(new RegExp(`same is at ${commitId.slice(0, 10)}, published already as d-1 by `));
    expect(said).toMatch(/remote: d-1 [0-9a-f]{10}: 1\/1 online agents at/);
    expect(await count(shop)).toBe(1);
    const path = shop.znodes.outcome(1);
    const outcome = JSON.parse(String((await shop.session.get(path))?.data));
    await shop.session.set(path, Buffer.from(JSON.stringify({ ...outcome, state: 'failed' })), -1);
    const unwaited = await push('-o', 'gitfleet.wait=no', 'origin', 'HEAD:refs/heads/third');
    expect(unwaited).toMatch(/published already as d-1 by .*; it has failed: gitfleet retry tries it again/);
  });

  it('300 refs in one push are one publish, of the newest that a pattern takes', async () => {
    await install(shop, 'release/*');
    const old = await commitOnly(origin.clone, 'old', {}, '2020-01-01T00:00:00Z');
    const newest = await commitOnly(origin.clone, 'new');
    const refs = Array.from({ length: 298 }, (_, at) => `${old}:refs/heads/release/${at + 2}`);
    const said = await push('--quiet', ...quickly, ...refs, `${newest}:refs/heads/release/1`, `${newest}:refs/heads/x`);
    expect((await wanted(shop)).commitId).toBe(newest);
    expect(await count(shop)).toBe(1);
    expect(said).toMatch(
      /the newest is deployed, release\/1; not release\/\d+, release\/\d+, release\/\d+ and 295 more/,
    );
  });

  it('a branch that its pattern means but does not take is named on the terminal that pushed', async () => {
    await install(shop, 'release/*');
    await commitOnly(origin.clone, 'odd');
    const said = await push(...quickly, 'HEAD:refs/heads/release/$5');
    expect(said).toContain('not deployed: "release/$5": a pattern deploys no branch of such a name');
    expect(await count(shop)).toBe(0);
  });

  it('an installation that would move an app to and fro is warned about', async () => {
    await install(shop, 'main');
    expect(await install(shop, 'release/*', 'elsewhere')).toContain(`main deploys ${shop.app} to shop`);
  });
});

describe('what a push deployed', () => {
  it('stays at the origin although it is forced away and collected', async () => {
    await install(shop, 'main');
    const first = await commitOnly(origin.clone, 'first');
    await push(...quickly, 'HEAD:refs/heads/main');
    await git(origin.clone, 'checkout', '--quiet', '--orphan', 'other');
    const second = await commitOnly(origin.clone, 'second');
    await push('--force', ...quickly, 'HEAD:refs/heads/main');
    await git(origin.bare, '-c', 'gc.pruneExpire=now', 'gc', '--quiet', '--prune=now');
    expect(await pins()).toEqual([pinOf(shop, 1), pinOf(shop, 2)]);
    expect(await git(origin.bare, 'rev-parse', pinOf(shop, 1), pinOf(shop, 2))).toBe(`${first}\n${second}`);
    // A clone does not get them unless it asks.
    await mkdir(join(shop.directory, 'clones'));
    await git(join(shop.directory, 'clones'), 'clone', '--quiet', `file://${origin.bare}`, 'one');
    expect(await git(join(shop.directory, 'clones/one'), 'for-each-ref', 'refs/deployments')).toBe('');
    // An agent that comes only now gets the first one.
    await shop.startAgent('late');
    await shop.online(1);
    expect(await shop.publish({ url: origin.url, commitId: first })).toMatchObject({ exitCode: 0 });
    expect(await shownCommit(shop.agents[0]?.root ?? '', 'shop')).toBe(first);
  });

  it('is pinned by the next push where somebody else published it, or the hook could not', async () => {
    await install(shop, 'main');
    const commits: string[] = [];
    for (const name of ['one', 'two', 'three']) {
      commits.push(await commitOnly(origin.clone, name));
      await git(origin.clone, 'push', '--quiet', origin.bare, 'HEAD:refs/heads/elsewhere');
      await shop.publish({ url: origin.url, commitId: commits.at(-1) as string }, '--detach');
    }
    expect(await pins()).toEqual([]);
    commits.push(await commitOnly(origin.clone, 'four'));
    await push(...quickly, 'HEAD:refs/heads/main');
    const names = [1, 2, 3, 4].map((number) => pinOf(shop, number));
    expect(await pins()).toEqual(names);
    expect((await git(origin.bare, 'rev-parse', ...names)).split('\n')).toEqual(commits);
  });
});
