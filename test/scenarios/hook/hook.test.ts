import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { ANY_URL, parseTarget } from '../../../schemas/target.ts';
import { cleanEnvironment, git, gitfleet, gitSaying } from '../../support/commands.ts';
import { type Origin, shownCommit, TestFleet } from '../../support/fleet.ts';
import { commitOnly, startPush } from '../../support/git/host.ts';
import { until } from '../../support/until.ts';
import { sharedServer } from '../../support/zookeeper/shared.ts';

const servers = sharedServer();
let fleet: TestFleet;
afterEach(() => fleet.stop());

async function withHook(agents: number): Promise<Origin> {
  fleet = await TestFleet.create(servers.connect());
  await fleet.startAgents(agents);
  await fleet.online(agents);
  const origin = await fleet.origin();
  const installed = await fleet.run('hook', 'install', origin.bare, '--relative-path', 'shop');
  expect(installed.exitCode).toBe(0);
  const whom = agents === 0 ? 'all servers at once; none is online now' : `all ${agents} servers at once`;
  expect(installed.stderr).toContain(`no policy: a push deploys to ${whom}`);
  return origin;
}

const configured = async () => {
  const node = await fleet.session.get(fleet.znodes.config);
  const parsed = node && node.data.length > 0 ? parseTarget(node.data, ANY_URL) : null;
  return parsed?.ok ? parsed.target : null;
};
const lastNumber = async () => Number((await fleet.session.get(fleet.znodes.deployments))?.data.toString() || 0);

describe('git push', () => {
  it('deploys, and shows the fleet on the terminal that pushed', async () => {
    const origin = await withHook(3);
    const commitId = await commitOnly(origin.clone, 'Shop opens');
    const { stderr } = await gitSaying(origin.clone, 'push', 'origin', 'HEAD:main');
    expect(stderr).toMatch(/remote: d-1: [0-9a-f]{10} at shop, by \S+ {2}Shop opens/);
    expect(stderr).toMatch(/remote: d-1 [0-9a-f]{10}: 3\/3 online agents at/);
    for (const agent of fleet.agents) expect(await shownCommit(agent.root, 'shop')).toBe(commitId);
    expect((await configured())?.gitfleet?.ref).toBe('refs/heads/main');
  });

  it("takes nothing from the pusher's environment but the author", async () => {
    const origin = await withHook(0);
    const commitId = await commitOnly(origin.clone, 'one');
    const env = cleanEnvironment({
      GITFLEET_TOKEN_FILE: '/tmp/of-another-tool',
      GITFLEET_SETTINGS: '/nonexistent/gitfleet.yml',
      GITFLEET_AUTH_FILE: '/nonexistent/credential',
      GITFLEET_ZOOKEEPER: '127.0.0.1:1',
      GITFLEET_AUTHOR: 'ann of sales',
    });
    const push = ['-C', origin.clone, 'push', '-o', 'gitfleet.wait=no', 'origin', 'HEAD:main'];
    const { stderr } = await promisify(execFile)('git', push, { env });
    expect(stderr).toMatch(/remote: d-1: [0-9a-f]{10} at shop, by ann of sales {2}one/);
    expect((await configured())?.commitId).toBe(commitId);
  });

  it('what others wrote paints nothing and makes no line of its own; the record holds the title as publish writes it', async () => {
    const origin = await withHook(0);
    await commitOnly(origin.clone, 'Red \u001b[31mprices');
    const forged = { GITFLEET_AUTHOR: 'ann\nd-9 0123456789: 3/3 agents at it' };
    const push = (...words: string[]) =>
      promisify(execFile)('git', ['push', '-o', 'gitfleet.wait=no', 'origin', ...words], {
        cwd: origin.clone,
        env: cleanEnvironment(forged),
      });
    await push('HEAD:main');
    const record = (await fleet.session.get(`${fleet.znodes.deployments}/d-1`))?.data.toString() ?? '{}';
    expect(JSON.parse(record).reason).toBe('Red \\u001b[31mprices');
    // Another branch at the same commit: what is said is about a deployment of somebody else.
    const again = await fleet.run('hook', 'install', origin.bare, '--relative-path', 'shop', '--branch', 'other');
    expect(again.exitCode).toBe(0);
    const { stderr } = await push('HEAD:other');
    expect(stderr).toContain('published already as d-1 by ann\\nd-9 0123456789: 3/3 agents at it');
    expect(stderr).not.toMatch(/^remote: d-9/m);
    expect(stderr).not.toContain('\u001b[31m');
  });

  it('publishes nothing for tags, other branches and deletions', async () => {
    const origin = await withHook(0);
    await commitOnly(origin.clone, 'one');
    await git(origin.clone, 'tag', 'main');
    await git(origin.clone, 'push', 'origin', 'refs/tags/main', 'HEAD:refs/heads/other');
    await git(origin.clone, 'push', 'origin', ':refs/heads/other');
    expect(await configured()).toBe(null);
    expect(await lastNumber()).toBe(0);
  });

  it('publishes once for 300 refs in one push', async () => {
    const origin = await withHook(1);
    const commitId = await commitOnly(origin.clone, 'one');
    const refs = Array.from({ length: 299 }, (_, at) => `HEAD:refs/heads/topic-${at}`);
    await git(origin.clone, 'push', '--quiet', 'origin', ...refs, 'HEAD:refs/heads/main');
    expect((await configured())?.commitId).toBe(commitId);
    expect(await lastNumber()).toBe(1);
  });

  it('ends on the tip after eight racing pushes', async () => {
    const origin = await withHook(1);
    // A row of commits; whoever is behind the tip when it arrives is refused by git, the others race.
    const commits: string[] = [];
    for (let at = 0; at < 8; at += 1) commits.push(await commitOnly(origin.clone, `commit ${at}`));
    const pushes = commits.map((id) =>
      gitSaying(origin.clone, 'push', 'origin', `${id}:refs/heads/main`).catch(() => null),
    );
    const said = await Promise.all(pushes);
    expect(said.filter(Boolean).length).toBeGreaterThan(0);
    const tip = await git(origin.bare, 'rev-parse', 'main');
    expect((await configured())?.commitId).toBe(tip);
    await until(
      'the agent shows the tip',
      async () => (await shownCommit(fleet.agents[0]?.root ?? '', 'shop')) === tip,
    );
  });

  it('ends on the tip after eight racing forced pushes of unrelated commits', async () => {
    const origin = await withHook(1);
    const base = await commitOnly(origin.clone, 'base');
    const commits: string[] = [];
    for (let at = 0; at < 8; at += 1) {
      await git(origin.clone, 'reset', '--quiet', '--hard', base);
      commits.push(await commitOnly(origin.clone, `side ${at}`));
    }
    const push = (id: string) =>
      gitSaying(origin.clone, 'push', '--force', 'origin', `${id}:refs/heads/main`).catch(() => null);
    const said = await Promise.all(commits.map(push));
    expect(said.filter(Boolean).length).toBeGreaterThan(0);
    expect((await configured())?.commitId).toBe(await git(origin.bare, 'rev-parse', 'main'));
  });

  it.each(['SIGINT', 'SIGHUP'] as const)(
    'deploys what it received when the terminal sends %s, whenever that comes',
    async (signal) => {
      const origin = await withHook(0);
      const script = '#!/bin/sh\necho received >&2\n';
      await mkdir(join(origin.bare, 'hooks/before-gitfleet'));
      await writeFile(join(origin.bare, 'hooks/before-gitfleet/post-receive'), script, { mode: 0o755 });
      // Before node runs, while it starts, while it talks to ZooKeeper, while it follows.
      for (const afterMs of [0, 15, 30, 50, 80, 150, 300]) {
        const commitId = await commitOnly(origin.clone, `after ${afterMs}`);
        const push = startPush(origin.clone, ['origin', 'HEAD:refs/heads/main']);
        await push.prints(/remote: received/);
        await sleep(afterMs);
        await push.kill(signal);
        await until(`${commitId} is published`, async () => (await configured())?.commitId === commitId);
      }
    },
  );

  it('succeeds while ZooKeeper is away, and says how to publish later', async () => {
    const origin = await withHook(0);
    await git(origin.bare, 'config', `gitfleet.main ${fleet.app}.zookeeper`, '127.0.0.1:1');
    const commitId = await commitOnly(origin.clone, 'one');
    const { stderr } = await gitSaying(origin.clone, 'push', 'origin', 'HEAD:main');
    expect(stderr).toContain('pushed, but not deployed: UNREACHABLE');
    expect(stderr).toContain(`to deploy later: gitfleet publish ${commitId} --url ${origin.url} --relative-path shop`);
    expect(await git(origin.bare, 'rev-parse', 'main')).toBe(commitId);
  });

  it('succeeds when its settings are broken, and when gitfleet is gone from the host', async () => {
    const origin = await withHook(0);
    await git(origin.bare, 'config', '--unset', `gitfleet.main ${fleet.app}.url`);
    await commitOnly(origin.clone, 'one');
    const first = await gitSaying(origin.clone, 'push', 'origin', 'HEAD:main');
    expect(first.stderr).toContain('HOOK_SETTINGS');
    const file = join(origin.bare, 'hooks/post-receive');
    await writeFile(file, (await readFile(file, 'utf8')).replaceAll(process.execPath, '/gone/node'));
    await commitOnly(origin.clone, 'two');
    const second = await gitSaying(origin.clone, 'push', 'origin', 'HEAD:main');
    expect(second.stderr).toContain('not deployed: /gone/node or');
  });
});

it('hook install for an app that is not there says both ways out', async () => {
  fleet = await TestFleet.create(servers.connect());
  const origin = await fleet.origin();
  const there = ['-z', fleet.zookeeper, '--app', '/not/there'];
  const said = await gitfleet(['hook', 'install', origin.bare, '--relative-path', 'shop', ...there]);
  expect(said.exitCode).toBe(0);
  expect(said.stderr).toContain('gitfleet init --app /not/there');
  expect(said.stderr).toContain('gitfleet hook uninstall --app /not/there');
});

describe('hook install', () => {
  it('says where git will look where core.hooksPath is set, and the command that mends it', async () => {
    const origin = await withHook(0);
    const again = (env: Record<string, string> = {}) => {
      const words = ['hook', 'install', origin.bare, '--relative-path', 'shop', '--app', fleet.app];
      return gitfleet([...words, '-z', fleet.zookeeper], { env });
    };
    expect((await again()).stderr).not.toContain('hooksPath');
    const forUser = join(fleet.directory, 'gitconfig');
    await writeFile(forUser, '[core]\n\thooksPath = /srv/hooks\n');
    expect((await again({ GIT_CONFIG_GLOBAL: forUser })).stderr).toContain('git runs the hooks in /srv/hooks');
    await git(origin.bare, 'config', 'core.hooksPath', 'elsewhere');
    const said = await again();
    expect(said).toMatchObject({ exitCode: 0 });
    expect(said.stderr).toContain(`git runs the hooks in ${origin.bare}/elsewhere and never those in`);
    const [, mend] = /warning: to make git use them: git (-C .*)/.exec(said.stderr) ?? [];
    await git('/', ...String(mend).split(' '));
    expect((await again({ GIT_CONFIG_GLOBAL: forUser })).stderr).not.toContain('hooksPath');
  });

  it('says that a push would take the app over from another repository or place, and the push says it again', async () => {
    const origin = await withHook(0);
    const pushed = async (message: string) => {
      await commitOnly(origin.clone, message);
      return await gitSaying(origin.clone, 'push', '-o', 'gitfleet.wait=no', 'origin', 'HEAD:main');
    };
    const install = (...args: string[]) => fleet.run('hook', 'install', origin.bare, '--relative-path', ...args);
    expect((await pushed('one')).stderr).not.toContain('changes');
    expect((await install('shop')).stderr).not.toContain('takes');
    const place = 'the place changes: from shop to mine; shop stays as it is';
    expect((await install('mine')).stderr).toMatch(
      new RegExp(`warning: a push here replaces what ${fleet.app} shows.*\n  ${place}`),
    );
    expect((await pushed('two')).stderr).toContain(place);
    expect((await install('mine', '--url', 'https://git.example.com/mine.git')).stderr).toContain('repository changes');
    const third = (await pushed('three')).stderr;
    expect(third).toContain('to https://git.example.com/mine.git');
    expect(third).not.toContain('the place changes');
  });

  it('keeps the settings file and the TLS files it was told, and a push uses them', async () => {
    fleet = await TestFleet.create(servers.connect());
    const origin = await fleet.origin();
    const [file, caFile] = [join(fleet.directory, 'own.yml'), join(fleet.directory, 'ca.pem')];
    await writeFile(file, JSON.stringify({ zookeeper: { tls: { caFile } } }), { mode: 0o600 });
    const words = ['hook', 'install', origin.bare, '--relative-path', 'shop', '--settings', 'own.yml'];
    expect((await fleet.run(...words)).exitCode).toBe(0);
    expect(await git(origin.bare, 'config', `gitfleet.main ${fleet.app}.settings`)).toBe(file);
    expect(await git(origin.bare, 'config', `gitfleet.main ${fleet.app}.tlsCaFile`)).toBe(caFile);
    const commitId = await commitOnly(origin.clone, 'one');
    const { stderr } = await gitSaying(origin.clone, 'push', 'origin', 'HEAD:main');
    expect(stderr).toContain(`SETTINGS: ${caFile} cannot be read`);
    expect(stderr).toContain(`to deploy later: GITFLEET_TLS_CA_FILE=${caFile} gitfleet publish ${commitId} --url`);
    expect(stderr).toContain(`--settings ${file}`);
  });

  it.each([
    [['--relative-path', '../x'], 'PATH'],
    [['--relative-path', 'shop', '--branch', '-x'], 'USAGE'],
    [['--relative-path', 'shop', '--url', 'https://u:secret@h/r.git'], 'CREDENTIALS'],
  ])('refuses %j as usage', async (args, code) => {
    fleet = await TestFleet.create(servers.connect());
    const origin = await fleet.origin();
    const said = await fleet.run('hook', 'install', origin.bare, ...args);
    expect(said).toMatchObject({ exitCode: 2 });
    expect(said.stderr).toContain(code);
    expect(said.stderr).not.toContain('secret');
  });
});
