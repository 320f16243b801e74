import { chown, readdir, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeHold, encodeQuarantine } from '../../../schemas/hold.ts';
import { git, gitfleet } from '../../support/commands.ts';
import { type Origin, TestFleet } from '../../support/fleet.ts';
import { commitOnly, startPush } from '../../support/git/host.ts';
import { sharedServer } from '../../support/zookeeper/shared.ts';

const servers = sharedServer();
let fleet: TestFleet;
let origin: Origin;
beforeEach(async () => {
  fleet = await TestFleet.create(servers.connect());
  origin = await fleet.origin();
});
afterEach(() => fleet.stop());

async function install(...more: string[]): Promise<void> {
  const said = await fleet.run('hook', 'install', origin.bare, '--relative-path', 'shop', ...more);
  expect(said).toMatchObject({ exitCode: 0 });
}

/** Pushes to main without waiting for a fleet that is not there. */
async function push(...refs: string[]): Promise<{ exitCode: unknown; said: string }> {
  const names = refs.length > 0 ? [...refs] : ['HEAD:refs/heads/main'];
  const options = names.splice(0, names[0] === '-o' ? 2 : 0);
  const running = startPush(origin.clone, ['-o', 'gitfleet.wait=no', ...options, 'origin', ...names]);
  return { exitCode: await running.ended, said: running.said };
}

const brake = (path: string, data: Buffer) => fleet.session.set(path, data, -1);
const tip = (branch = 'main') => git(origin.bare, 'rev-parse', `refs/heads/${branch}`).catch(() => null);

describe('a gate', () => {
  it('refuses a push while publishing is held, with the reason, and takes it afterwards', async () => {
    await install('--gate');
    const commitId = await commitOnly(origin.clone, 'one');
    await brake(fleet.znodes.hold, encodeHold({ reason: 'fair week', by: 'ann', at: Date.now(), end: null }));
    const held = await push();
    expect(held.exitCode).toBe(1);
    expect(held.said).toMatch(
      /remote: gitfleet: refused: main [0-9a-f]{10} for \S+ could not be deployed: HOLD: ann .*fair week/,
    );
    expect(held.said).toMatch(/remote: {3}ask /);
    expect(held.said).toContain('pre-receive hook declined');
    expect(await tip()).toBe(null);
    // What no gate stands before is pushed all the same.
    expect(await push('HEAD:refs/heads/topic', 'HEAD:refs/tags/main')).toMatchObject({ exitCode: 0 });
    await brake(fleet.znodes.hold, encodeHold(null));
    expect(await push()).toMatchObject({ exitCode: 0 });
    expect(await tip()).toBe(commitId);
  });

  it('refuses a commit in quarantine and what contains it, until that is said to be fixed', async () => {
    await install('--gate');
    const bad = await commitOnly(origin.clone, 'bad');
    await brake(
      fleet.znodes.quarantine,
      encodeQuarantine([{ commitId: bad, reason: 'burns', by: 'ann', at: Date.now() } as never]),
    );
    const refused = await push();
    expect(refused).toMatchObject({ exitCode: 1 });
    expect(refused.said).toMatch(/QUARANTINED.*burns/);
    const next = await commitOnly(origin.clone, 'next');
    const contains = await push();
    expect(contains).toMatchObject({ exitCode: 1 });
    expect(contains.said).toMatch(/QUARANTINED: [0-9a-f]{12} contains a commit in quarantine: .*burns/);
    expect(contains.said).toContain('git push -o gitfleet.force=WHY');
    const fixed = await push('-o', 'gitfleet.force=burns no more', 'HEAD:refs/heads/main');
    expect(fixed).toMatchObject({ exitCode: 0 });
    expect(fixed.said).toMatch(/by force out of the quarantine of ann: burns/);
    expect(await tip()).toBe(next);
    expect((await fleet.session.get(fleet.znodes.quarantine))?.data.length).toBe(0);
  });

  it('reads what is pushed while git keeps it aside: gitfleet.yml, hostile trees', async () => {
    await install('--gate');
    await commitOnly(origin.clone, 'one', { 'gitfleet.yml': 'prepair: [make]\n' });
    const misspelt = await push();
    expect(misspelt).toMatchObject({ exitCode: 1 });
    expect(misspelt.said).toMatch(/RELEASE_FILE: .*prepair/);
    await commitOnly(origin.clone, 'two', { 'gitfleet.yml': '' });
    await symlink('/etc/passwd', join(origin.clone, 'leak'));
    await commitOnly(origin.clone, 'three');
    const hostile = await push();
    expect(hostile).toMatchObject({ exitCode: 1 });
    expect(hostile.said).toMatch(/UNSAFE_TREE: "leak" is an absolute symlink/);
    await git(origin.clone, 'rm', '--quiet', 'leak');
    await commitOnly(origin.clone, 'four');
    expect(await push()).toMatchObject({ exitCode: 0 });
    expect(await tip()).toBe(await git(origin.clone, 'rev-parse', 'HEAD'));
  });

  it('judges what would be deployed: of several branches in one push the newest', async () => {
    await install('--branch', 'release/*', '--gate');
    await commitOnly(origin.clone, 'old', { 'gitfleet.yml': 'nonsense: 1\n' });
    await git(origin.clone, 'branch', 'release/10');
    await commitOnly(origin.clone, 'new', { 'gitfleet.yml': '' }, '2030-01-01T00:00:00Z');
    await git(origin.clone, 'branch', 'release/9');
    expect(await push('release/10')).toMatchObject({ exitCode: 1 });
    const both = await push('release/9', 'release/10');
    expect(both).toMatchObject({ exitCode: 0 });
    expect(both.said).toContain(
      `of several branches for ${fleet.app} the newest is deployed, release/9; not release/10`,
    );
  });

  it.each([
    ['lenient', 0, 'the gate has no answer about main'],
    ['strict', 1, 'refused: the gate is strict and has no answer about main'],
  ])('that is %s, while ZooKeeper is away', async (mode, exitCode, words) => {
    await install('--gate', mode);
    await git(origin.bare, 'config', `gitfleet.main ${fleet.app}.zookeeper`, '127.0.0.1:1');
    await commitOnly(origin.clone, 'one');
    const said = await push();
    expect(said).toMatchObject({ exitCode });
    expect(said.said).toContain(words);
    expect(said.said).toContain('UNREACHABLE: no ZooKeeper of 127.0.0.1:1 answered within 3 s');
    expect(said.said.includes('pushed, but not deployed: UNREACHABLE')).toBe(exitCode === 0);
  });
});

describe('a gate whose settings are broken', () => {
  it.each([
    ['lenient', 0, 'the gate has no answer about main'],
    ['strict', 1, 'refused: the gate is strict and has no answer about main'],
  ])('answers by its mode, %s, for its own branch', async (mode, exitCode, words) => {
    await install('--gate', mode);
    await git(origin.bare, 'config', '--unset', `gitfleet.main ${fleet.app}.url`);
    await commitOnly(origin.clone, 'one');
    const said = await push();
    expect(said).toMatchObject({ exitCode });
    expect(said.said).toContain(words);
    expect(said.said).toMatch(/HOOK_SETTINGS: the settings .* are incomplete or wrong/);
    expect((await tip()) === null).toBe(exitCode === 1);
    expect(await push('HEAD:refs/heads/topic')).toMatchObject({ exitCode: 0 });
  });
});

describe('hook uninstall', () => {
  it('that finds nothing under a name says so, and has done nothing', async () => {
    await install('--gate');
    await rm(join(origin.bare, 'hooks/post-receive'));
    const words = ['hook', 'uninstall', origin.bare, '--branch', 'mian'];
    const said = await gitfleet(words);
    expect(said).toMatchObject({ exitCode: 2, stdout: '' });
    expect(said.stderr).toContain('nothing is installed for mian');
    expect((await readdir(join(origin.bare, 'hooks'))).sort()).not.toContain('post-receive');
  });
});

describe('hook status', () => {
  it('says what is installed, what is in the way, and who answers', async () => {
    await install('--gate');
    await install('--branch', 'release/*', '--app', fleet.app);
    const status = (...more: string[]) => gitfleet(['hook', 'status', origin.bare, ...more]);
    const good = await status();
    expect(good).toMatchObject({ exitCode: 0, stderr: '' });
    expect(good.stdout).toContain(`main deploys to ${fleet.app} at shop, agents fetch from ${origin.url}`);
    expect(good.stdout).toContain(`release/* deploys to ${fleet.app} at shop`);
    expect(good.stdout).toContain(`${fleet.zookeeper} answers, and lets this hook publish`);
    expect(good.stdout).toContain('hooks/pre-receive: ours');
    expect(good.stdout).toContain('push options: on');
    expect((await fleet.session.get(fleet.znodes.config))?.stat.version).toBe(0);
    await git(origin.bare, 'config', `gitfleet.main ${fleet.app}.zookeeper`, '127.0.0.1:1');
    const away = await status('--json');
    expect(away).toMatchObject({ exitCode: 7 });
    const { zookeeper, problems } = JSON.parse(away.stdout);
    expect(problems).toEqual([]);
    expect(zookeeper).toEqual([
      { branch: 'main', app: fleet.app, refused: expect.objectContaining({ code: 'UNREACHABLE' }) },
      { branch: 'release/*', app: fleet.app, refused: null },
    ]);
  });
});

describe('a repository that is not there', () => {
  it('is named as a wrong word, and git is not blamed', async () => {
    const missing = join(fleet.directory, 'nowhere.git');
    const installing = ['--relative-path', 'shop', '-z', fleet.zookeeper];
    for (const [verb, more] of [
      ['status', []],
      ['uninstall', []],
      ['install', installing],
    ] as const) {
      const said = await gitfleet(['hook', verb, missing, ...more]);
      expect(said).toMatchObject({ exitCode: 2, stdout: '' });
      expect(said.stderr).toContain(`NOT_A_REPOSITORY: ${missing} is not a git repository`);
      expect(said.stderr).not.toContain('git was not found');
    }
  });
});

describe('hook status by somebody else than whoever receives', () => {
  it('is no answer, and says so', async () => {
    expect(process.geteuid?.(), 'only root may give a repository away').toBe(0);
    await install();
    await chown(origin.bare, 65_534, 65_534);
    const said = await gitfleet(['hook', 'status', origin.bare]);
    expect(said).toMatchObject({ exitCode: 1, stderr: '' });
    expect(said.stdout).toContain(`PROBLEM: ${origin.bare} belongs to the user with uid 65534, and this is uid 0`);
    expect(said.stdout).toContain('run it as the user that receives the pushes there');
  });
});
