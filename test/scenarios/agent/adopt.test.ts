import { chmod, lstat, mkdir, readdir, readFile, readlink, rename, symlink, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { layoutOf } from '../../../agent/disk/layout.ts';
import { adopt } from '../../../agent/local/adopt.ts';
import { readLocalStatus } from '../../../agent/local/local-status.ts';
import { type FailpointName, NO_FAILPOINT } from '../../../agent/state/failpoints.ts';
import { type Journal, readJournal } from '../../../agent/state/journal.ts';
import { localParts, openLocalAgent } from '../../../cli/daemon/local-agent.ts';
import { createGit } from '../../../git/run/process.ts';
import { systemClock } from '../../../runtime/clock.ts';
import { createShutdown } from '../../../runtime/shutdown.ts';
import { agentSettings, parseSettings } from '../../../schemas/settings/settings.ts';
import type { RelativePath } from '../../../schemas/values.ts';
import { git, gitfleet, type Ran } from '../../support/commands.ts';
import { type Origin, shownCommit, type TestAgent, TestFleet } from '../../support/fleet.ts';
import { silentLog } from '../../support/log.ts';
import { until } from '../../support/until.ts';
import { sharedServer } from '../../support/zookeeper/shared.ts';

const servers = sharedServer();
let fleet: TestFleet;
let origin: Origin;
afterEach(() => fleet.stop());

/** A server on which no agent has run yet. */
interface Server {
  readonly root: string;
  readonly state: string;
  /** Where the earlier tool put things. */
  readonly shop: string;
  adopt(...more: string[]): Promise<Ran>;
  journal(): Promise<Journal>;
}

async function server(allow?: string): Promise<Server> {
  fleet = await TestFleet.create(servers.connect());
  origin = await fleet.origin();
  const home = join(fleet.directory, 'agents', 'web-1');
  const [root, state] = [join(home, 'root'), join(home, 'state')];
  await mkdir(root, { recursive: true });
  await chmod(root, 0o755);
  const words = ['--root', root, '--state', state, '--id', 'web-1', '--app', fleet.app];
  words.push('--allow-url', allow ?? `file://${fleet.directory}`);
  return {
    root,
    state,
    shop: join(root, 'shop'),
    adopt: (...more) => gitfleet(['agent', 'adopt', 'shop', ...words, ...more]),
    journal: () => readJournal(layoutOf(root, state, fleet.app).appState),
  };
}

/** A clone as pulling by cron leaves it. */
async function cloned(at: string): Promise<string> {
  const commitId = await origin.commit('a', { index: 'a', 'deep/er': 'b', '.gitignore': 'cache\n' });
  await git(dirname(at), 'clone', '--quiet', origin.url, at);
  return commitId;
}

/** As Capistrano lays it out, with what its shared directories add to a release. */
async function capistrano(root: string): Promise<{ commitId: string; release: string }> {
  const commitId = await origin.commit('a', { index: 'a', 'deep/er': 'b' });
  const release = join(root, 'releases', '20240102030405');
  await mkdir(release, { recursive: true });
  await git(root, 'clone', '--quiet', '--mirror', origin.url, join(root, 'repo'));
  await git(join(root, 'repo'), `--work-tree=${release}`, 'checkout', '--force', commitId, '--', '.');
  await writeFile(join(release, 'REVISION'), `${commitId}\n`);
  await mkdir(join(root, 'shared', 'log'), { recursive: true });
  await symlink(join(root, 'shared', 'log'), join(release, 'log'));
  await symlink(release, join(root, 'shop'));
  return { commitId, release };
}

/** Everything below a directory, by all that changes when somebody touches it; ours apart. */
async function traces(directory: string): Promise<string[]> {
  const names = (await readdir(directory, { recursive: true })).filter((name) => !name.startsWith('.gitfleet'));
  const of = async (name: string) => {
    const { ino, ctimeMs, size, mode } = await lstat(join(directory, name));
    return `${name} ${ino} ${ctimeMs} ${size} ${mode}`;
  };
  return await Promise.all(names.sort().map(of));
}

async function refused(server: Server, code: string, ...more: string[]): Promise<Ran> {
  const before = await traces(server.root);
  const said = await server.adopt(...more);
  expect(said.stderr).toContain(`gitfleet: ${code}: `);
  expect(said.exitCode).not.toBe(0);
  expect(await traces(server.root)).toEqual(before);
  expect((await server.journal()).links).toEqual({});
  return said;
}

/** An agent with an activate command that leaves a trace; it must find its work done. */
async function settlesOn(commitId: string, root: string): Promise<TestAgent> {
  const trace = join(fleet.directory, 'activated');
  const program = join(fleet.directory, 'activate.sh');
  await writeFile(program, `#!/bin/sh\necho "$GITFLEET_COMMIT" >> ${trace}\n`, { mode: 0o755 });
  const { ino } = await lstat(join(root, 'shop'));
  const agent = await fleet.startAgent('web-1', { args: ['--activate', program] });
  await fleet.online(1);
  expect((await fleet.publish({ url: origin.url, commitId })).exitCode).toBe(0);
  expect((await lstat(join(root, 'shop'))).ino).toBe(ino);
  await expect(readFile(trace)).rejects.toMatchObject({ code: 'ENOENT' });
  expect(await agent.log()).not.toContain('swap done');
  const next = await origin.commit('next', { index: 'next' });
  expect((await fleet.publish({ url: origin.url, commitId: next })).exitCode).toBe(0);
  expect(await shownCommit(root, 'shop')).toBe(next);
  expect(await readFile(trace, 'utf8')).toBe(`${next}\n`);
  return agent;
}

describe('adopting a clone', () => {
  it('keeps the directory under another name, and the agent then settles without running anything', async () => {
    const { root, shop, adopt, journal } = await server();
    const commitId = await cloned(shop);
    const before = await traces(shop);
    const said = await adopt('-m', 'pull by cron', '--json');
    expect(said).toMatchObject({ exitCode: 0, stderr: '' });
    const { url } = origin;
    const kept = `${shop}.before-gitfleet`;
    expect(JSON.parse(said.stdout)).toEqual({
      ...{ relativePath: 'shop', commitId, url, from: 'directory', before: kept, gone: [] },
    });
    expect(await shownCommit(root, 'shop')).toBe(commitId);
    expect(await traces(kept)).toEqual(before);
    expect(await journal()).toMatchObject({ links: { shop: commitId }, releases: { [commitId]: { endedWell: true } } });
    expect((await adopt()).stderr).toContain('ALREADY_OURS');
    await settlesOn(commitId, root);
  });

  it('takes the commit from the clone itself: its origin is not asked', async () => {
    const { root, shop, adopt } = await server('https://git.example.com/team');
    const commitId = await cloned(shop);
    await git(shop, 'remote', 'set-url', 'origin', 'https://git.example.com/team/shop.git');
    expect(await adopt()).toMatchObject({ exitCode: 0, stderr: '' });
    expect(await shownCommit(root, 'shop')).toBe(commitId);
  });

  it('takes it from --url where the origin is something else, so that the url is true', async () => {
    const { root, shop, adopt } = await server();
    const commitId = await cloned(shop);
    await git(shop, 'remote', 'set-url', 'origin', origin.bare);
    expect((await adopt()).stderr).toContain('gitfleet: URL: its origin');
    const only = (await git(shop, '-c', 'user.name=x', 'commit-tree', '-m', 'x', 'HEAD^{tree}')).trim();
    await git(shop, 'update-ref', 'HEAD', only);
    expect((await adopt('--url', origin.url)).stderr).toContain('COMMIT_NOT_FOUND');
    await git(shop, 'update-ref', 'HEAD', commitId);
    expect((await adopt('--url', origin.url)).exitCode).toBe(0);
    expect(await shownCommit(root, 'shop')).toBe(commitId);
  });

  it('ends what an agent reported as OCCUPIED', async () => {
    const { root, shop, adopt } = await server();
    const commitId = await cloned(shop);
    const agent = await fleet.startAgent('web-1');
    await fleet.online(1);
    expect((await fleet.publish({ url: origin.url, commitId })).exitCode).toBe(1);
    const taken = await adopt();
    expect(taken.exitCode).toBe(6);
    expect(taken.stderr).toMatch(/STATE_TAKEN[\s\S]*stop the agent, adopt/);
    await agent.kill('SIGTERM');
    expect((await adopt()).exitCode).toBe(0);
    await agent.restart();
    await fleet.reported('web-1', 'active', (report) => report.phase === 'active' && report.activeCommit === commitId);
    expect(await shownCommit(root, 'shop')).toBe(commitId);
  });

  it('puts the directory back where the link cannot take its place', async () => {
    const at = await server();
    const commitId = await cloned(at.shop);
    const before = await traces(at.shop);
    // The name that the new link gets first; a directory is nothing that we delete.
    await mkdir(join(at.root, '.shop.gitfleet-new', 'x'), { recursive: true });
    const said = await at.adopt();
    expect(said.exitCode).toBe(1);
    expect(said.stderr).toContain('NOT_ADOPTED');
    expect(await traces(at.shop)).toEqual(before);
    expect((await at.journal()).links).toEqual({});
    await rename(join(at.root, '.shop.gitfleet-new'), join(at.root, 'away'));
    expect((await at.adopt()).exitCode).toBe(0);
    expect(await shownCommit(at.root, 'shop')).toBe(commitId);
  });

  it.each([
    ['a changed file', 'index', (shop: string) => writeFile(join(shop, 'index'), 'x')],
    ['an untracked file', 'notes', (shop: string) => writeFile(join(shop, 'notes'), 'x')],
    ['an ignored file', 'cache', (shop: string) => writeFile(join(shop, 'cache'), 'x')],
    ['a missing file', 'deep/er', (shop: string) => rename(join(shop, 'deep/er'), join(shop, '..', 'er'))],
    [
      'a change that its index hides',
      'index',
      async (shop: string) => {
        await git(shop, 'update-index', '--assume-unchanged', 'index');
        await writeFile(join(shop, 'index'), 'x');
      },
    ],
  ])('refuses %s by name', async (_, name, spoil) => {
    const at = await server();
    await cloned(at.shop);
    await spoil(at.shop);
    expect((await refused(at, 'NOT_CLEAN')).stderr).toContain(`"${name}"`);
  });

  it('refuses what is no clone of an allowed url, or has no room', async () => {
    const at = await server('https://git.example.com/team');
    await refused(at, 'NOTHING_THERE');
    await mkdir(at.shop);
    await refused(at, 'NOT_A_CLONE');
    await git(at.shop, 'init', '--quiet');
    await refused(at, 'NO_COMMIT');
    await git(at.shop, 'commit', '--quiet', '--allow-empty', '-m', 'x');
    await refused(at, 'NO_URL');
    await git(at.shop, 'remote', 'add', 'origin', 'https://git.example.com/teams/shop.git');
    await refused(at, 'NOT_ALLOWED');
    await refused(at, 'NOT_ALLOWED', '--url', 'https://elsewhere.example.com/shop.git');
    await mkdir(`${at.shop}.before-gitfleet`);
    await refused(at, 'ASIDE_TAKEN', '--url', 'https://git.example.com/team/shop.git');
    await chmod(at.root, 0o777);
    await refused(at, 'OWNER');
  });

  it('runs nothing that a hostile clone asks for', async () => {
    const { root, shop, adopt } = await server('https://git.example.com/team');
    await origin.commit('attributes', { '.gitattributes': '* filter=evil diff=evil merge=evil\n' });
    const commitId = await cloned(shop);
    const canary = join(fleet.directory, 'canary');
    const evil = join(fleet.directory, 'evil.sh');
    await writeFile(evil, `#!/bin/sh\necho "$0 $@" >> ${canary}\nexit 1\n`, { mode: 0o755 });
    const settings = {
      'remote.origin.url': 'https://git.example.com/team/shop.git',
      'core.fsmonitor': evil,
      'core.sshCommand': evil,
      'core.pager': evil,
      'core.editor': evil,
      'core.alternateRefsCommand': evil,
      'core.hooksPath': fleet.directory,
      'credential.helper': `!${evil}`,
      'diff.external': evil,
      'diff.evil.textconv': evil,
      'diff.evil.command': evil,
      'filter.evil.clean': evil,
      'filter.evil.smudge': evil,
      'filter.evil.process': evil,
      'filter.evil.required': 'true',
      'gpg.program': evil,
      'uploadpack.packObjectsHook': evil,
      'remote.origin.uploadpack': evil,
      'remote.origin.promisor': 'true',
      'alias.rev-parse': `!${evil}`,
      'alias.config': `!${evil}`,
    };
    for (const [name, value] of Object.entries(settings)) await git(shop, 'config', name, value);
    for (const hook of ['post-checkout', 'post-index-change', 'reference-transaction', 'pre-auto-gc']) {
      await writeFile(join(shop, '.git', 'hooks', hook), `#!/bin/sh\necho ${hook} >> ${canary}\n`, { mode: 0o755 });
    }
    const later = new Date(Date.now() + 5_000); // So that nobody believes an index.
    await utimes(join(shop, 'index'), later, later);
    expect(await adopt()).toMatchObject({ exitCode: 0, stderr: '' });
    expect(await shownCommit(root, 'shop')).toBe(commitId);
    await expect(readFile(canary, 'utf8')).rejects.toMatchObject({ code: 'ENOENT' });
    await git(`${shop}.before-gitfleet`, 'status').catch(() => '');
    expect(await readFile(canary, 'utf8')).toContain('evil.sh'); // The trap works: plain git falls into it.
  });
});

describe('adopting a link of Capistrano', () => {
  it('replaces it in one rename, leaves their releases, and says what they had beside the commit', async () => {
    const { root, shop, adopt, journal } = await server();
    const { commitId, release } = await capistrano(root);
    const before = await traces(release);
    let [missing, reading, reads] = [0, true, 0];
    const reader = (async () => {
      while (reading) {
        reads += 1;
        if ((await readFile(join(shop, 'index'), 'utf8').catch(() => null)) !== 'a') missing += 1;
      }
    })();
    const said = await adopt();
    reading = false;
    await reader;
    expect(said).toMatchObject({ exitCode: 0, stderr: '' });
    expect(said.stdout).toContain('no longer shown, because not part of the commit: log\n');
    expect(said.stdout).toContain(`the earlier content is unchanged at ${release}`);
    expect({ missing, enough: reads > 100 }).toEqual({ missing: 0, enough: true });
    expect(await shownCommit(root, 'shop')).toBe(commitId);
    expect(await traces(release)).toEqual(before);
    expect(await journal()).toMatchObject({ links: { shop: commitId }, releases: { [commitId]: { endedWell: true } } });
    await settlesOn(commitId, root);
  });

  it('believes a .git where there is no REVISION', async () => {
    const { root, shop, adopt } = await server();
    const commitId = await cloned(join(fleet.directory, 'elsewhere'));
    await symlink(join(fleet.directory, 'elsewhere'), shop);
    expect((await adopt()).exitCode).toBe(0);
    expect(await shownCommit(root, 'shop')).toBe(commitId);
  });

  it('refuses other links, and leaves them', async () => {
    const at = await server();
    const { release } = await capistrano(at.root);
    await writeFile(join(release, 'REVISION'), 'a1b2c3d\n');
    await refused(at, 'NO_COMMIT');
    await writeFile(join(release, 'REVISION'), `${'1'.repeat(40)}\n`);
    await refused(at, 'COMMIT_NOT_FOUND');
    await git(join(at.root, 'repo'), 'remote', 'remove', 'origin');
    await refused(at, 'NO_URL');
    await refused(at, 'NOT_ALLOWED', '--url', 'https://elsewhere.example.com/shop.git');
    await rename(release, `${release}.away`);
    await refused(at, 'FOREIGN_LINK');
    expect(await readlink(at.shop)).toBe(release);
  });
});

describe('an adoption that is disturbed', () => {
  /** The same adoption in this process, so that something can happen at one point of it. */
  async function disturbed(at: Server, disturb: { afterFetch?: () => Promise<unknown>; failAt?: FailpointName }) {
    const allowUrls = [`file://${fleet.directory}`];
    const own = { root: at.root, state: at.state, id: 'web-1', allowUrls };
    const settings = parseSettings({ zookeeper: { connect: 'localhost' }, app: fleet.app, agent: own }, 'web-1');
    const agent = agentSettings(settings);
    const shutdown = createShutdown(() => {});
    try {
      const local = await openLocalAgent(settings, agent, silentLog, shutdown, NO_FAILPOINT);
      const failpoint = (name: string) => {
        if (name === disturb.failAt) throw new Error('disturbed');
      };
      const parts = localParts(local, settings, agent, silentLog, failpoint);
      const { store } = parts;
      const fetch: typeof store.fetch = async (...args) => {
        const outcome = await store.fetch(...args);
        await disturb.afterFetch?.();
        return outcome;
      };
      const git = createGit({ clock: systemClock, log: silentLog, path: process.env['PATH'] });
      const wish = { relativePath: 'shop' as RelativePath, url: null, allowUrls, by: 'ann', reason: '' };
      return await adopt({ ...parts, git, store: { ...store, fetch } }, wish, shutdown.signal);
    } finally {
      await shutdown.stop();
      // Git children hold the lock too, and are ended without waiting; the next one to come is this same process.
      const layout = layoutOf(at.root, at.state, fleet.app);
      await until('the state is free', async () => (await readLocalStatus(layout, systemClock)).running === false);
    }
  }

  it('refuses what changed while its release was made', async () => {
    const at = await server();
    await cloned(at.shop);
    const late = () => writeFile(join(at.shop, 'late'), 'x');
    await expect(disturbed(at, { afterFetch: late })).rejects.toMatchObject({ code: 'NOT_CLEAN' });
    await rename(join(at.shop, 'late'), join(at.root, 'late'));
    const commit = () => git(at.shop, 'commit', '--quiet', '--allow-empty', '-m', 'late');
    await expect(disturbed(at, { afterFetch: commit })).rejects.toMatchObject({ code: 'CHANGED_MEANWHILE' });
    expect((await lstat(at.shop)).isDirectory()).toBe(true);
    expect((await at.journal()).links).toEqual({});
  });

  it('refuses a link that was led elsewhere meanwhile', async () => {
    const at = await server();
    const { release } = await capistrano(at.root);
    const deploy = async () => {
      await rename(release, `${release}9`);
      await symlink(`${release}9`, `${at.shop}.new`);
      await rename(`${at.shop}.new`, at.shop);
    };
    await expect(disturbed(at, { afterFetch: deploy })).rejects.toMatchObject({ code: 'CHANGED_MEANWHILE' });
    expect(await readlink(at.shop)).toBe(`${release}9`);
  });

  it.each(['swap.aside', 'swap.renamed'] as const)('undoes both renames when it fails at %s', async (failAt) => {
    const at = await server();
    const commitId = await cloned(at.shop);
    const before = await traces(at.shop);
    await expect(disturbed(at, { failAt })).rejects.toMatchObject({ code: 'NOT_ADOPTED' });
    expect(await traces(at.shop)).toEqual(before);
    expect((await at.journal()).links).toEqual({});
    expect(await at.adopt()).toMatchObject({ exitCode: 0, stderr: '' });
    expect(await shownCommit(at.root, 'shop')).toBe(commitId);
  });
});
