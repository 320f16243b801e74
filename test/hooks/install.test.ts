import { chmod, mkdir, readdir, readFile, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gitOfHooks } from '../../cli/hook/environment.ts';
import { readRepositoryConfig } from '../../git/host/repository-config.ts';
import { DEFAULT_PATH, type Git } from '../../git/run/process.ts';
import { type HookSettings, hookSettings, publishCommand } from '../../hooks/hook-settings.ts';
import { inspectHooks, problemsOf } from '../../hooks/inspect.ts';
import { installHook, uninstallHook } from '../../hooks/install.ts';
import { git } from '../support/commands.ts';
import { aHook } from './test-hook.ts';
import { type ARepository, aRepository } from './test-repository.ts';

let repository: ARepository;
let command: [string, string, string];
beforeEach(async () => {
  repository = await aRepository();
  // In place of gitfleet: says how it was called and what it read, and ends as the environment says.
  command = [process.execPath, join(repository.top, 'main.mjs'), DEFAULT_PATH];
  await writeFile(
    command[1],
    `const { GIT_DIR = '', GIT_QUARANTINE_PATH = '', NODE_OPTIONS = '', GL_USERNAME = '0' } = process.env;
     let input = ''; for await (const text of process.stdin) input += text;
     const said = [...process.argv.slice(2), input, GIT_DIR + GIT_QUARANTINE_PATH + NODE_OPTIONS];
     console.log(JSON.stringify(GL_USERNAME === 'env' ? process.env : said));
     process.exitCode = Number(GL_USERNAME) || 0;`,
  );
});
afterEach(() => repository.remove());

const full = aHook({
  authFile: "/srv/ann's/publisher",
  settings: '/etc/shop.yml',
  ...{ tlsCaFile: '/etc/tls/ca.pem', tlsCertFile: '/etc/tls/our cert.pem', tlsKeyFile: '/etc/tls/key.pem' },
  gate: 'strict',
});
const install = (more: Partial<HookSettings> = {}, by = command) =>
  installHook(gitOfHooks(), repository.bare, aHook(more), by);
const uninstall = (which: { branch?: string; app?: string } = {}) =>
  uninstallHook(gitOfHooks(), repository.bare, { branch: which.branch ?? null, app: which.app ?? null }, command);
const installed = async () => hookSettings(await readRepositoryConfig(gitOfHooks(), repository.bare)).hooks;
const called = (told: { stdout: string }) => JSON.parse(told.stdout.trim().split('\n').at(-1) ?? '');
const problems = async () => problemsOf(await inspectHooks(gitOfHooks(), repository.bare, command, Date.now()));

/** A hook of somebody else: tells how it was called, and ends with this code. */
async function foreign(name: string, exitCode = 0): Promise<void> {
  await mkdir(join(repository.bare, 'hooks'), { recursive: true });
  const script = `#!/bin/sh\necho "\${0##*/} $GIT_DIR $# $2"\ncat\nexit ${exitCode}\n`;
  await writeFile(join(repository.bare, 'hooks', name), script, { mode: 0o750 });
  await chmod(join(repository.bare, 'hooks', name), 0o750);
}

/** A git that is gone after so many calls, as if we had been ended there. */
function gitEnding(most: number): Git {
  const git = gitOfHooks();
  let calls = 0;
  const count = () => {
    calls += 1;
    if (calls > most) throw new Error('ended');
  };
  return {
    sandbox: git.sandbox,
    run: async (...words) => {
      count();
      return await git.run(...words);
    },
    output: async (...words) => {
      count();
      return await git.output(...words);
    },
  };
}

const INPUT = 'a b refs/heads/main\n\n\nc';

describe('a hooks directory that several repositories use', () => {
  it('is refused and not touched; taking an installation out leaves its files to the others', async () => {
    const hooks = join(repository.bare, 'hooks');
    const shared = join(repository.top, 'shared');
    await mkdir(shared);
    await symlink('../shared', hooks);
    await expect(install()).rejects.toMatchObject({
      code: 'HOOKS_SHARED',
      hint: expect.stringContaining(`cp -r ${shared} ${hooks}`),
    });
    expect(await readdir(shared)).toEqual([]);
    expect(hookSettings(await readRepositoryConfig(gitOfHooks(), repository.bare)).hooks).toEqual([]);

    await rm(hooks);
    await install();
    await rename(hooks, join(shared, 'hooks'));
    await symlink('../shared/hooks', hooks);
    const { removed, changes } = await uninstall();
    expect(removed).toHaveLength(1);
    expect(changes).toContain(
      `${hooks} leads to ${shared}/hooks, which other repositories may use: its hook files were left alone`,
    );
    expect(await readdir(join(shared, 'hooks'))).toContain('post-receive');
  });
});

describe('the installed hook', () => {
  it("starts a gitfleet whose path holds blanks, quotes and the shell's signs", async () => {
    const odd = join(repository.top, `it's $(touch hurt) "here"`);
    await mkdir(odd);
    await symlink(process.execPath, join(odd, 'node'));
    await rename(command[1], join(odd, 'main.mjs'));
    await install({ gate: 'lenient' }, [join(odd, 'node'), join(odd, 'main.mjs'), DEFAULT_PATH]);
    const after = await repository.runHook('post-receive', INPUT);
    expect(after).toMatchObject({ exitCode: 0, stderr: '' });
    expect(called(after)).toEqual(['hook', 'post-receive', '--repository', repository.bare, INPUT, '']);
    const before = await repository.runHook('pre-receive', INPUT, { GIT_QUARANTINE_PATH: '/quarantine' });
    expect(before).toMatchObject({ exitCode: 0, stderr: '' });
    const words = ['hook', 'pre-receive', '--repository', repository.bare, '--quarantine', '/quarantine'];
    expect(called(before)).toEqual([...words, INPUT, '']);
    await rm(join(odd, 'node'));
    const gone = await repository.runHook('post-receive', INPUT);
    expect(gone).toMatchObject({ exitCode: 0, stdout: '' });
    expect(gone.stderr).toContain(`gitfleet: not deployed: ${odd}/node or ${odd}/main.mjs is missing`);
  });

  it('passes nothing on that could change how gitfleet itself runs, H05 included', async () => {
    await install({ gate: 'lenient' });
    const poison = { GIT_DIR: '/elsewhere', GIT_QUARANTINE_PATH: '/q', NODE_OPTIONS: '--require=/nonexistent.cjs' };
    for (const name of ['post-receive', 'pre-receive']) {
      const told = await repository.runHook(name, INPUT, poison);
      expect(told).toMatchObject({ exitCode: 0, stderr: '' });
      expect(called(told).at(-1)).toBe('');
    }
  });

  it('is told by its environment who pushes, what is asked and how the terminal is, and nothing else', async () => {
    await install({ gate: 'lenient' });
    const bin = join(repository.top, 'bin');
    await mkdir(bin);
    // A pusher on this host puts tools of their own before the others.
    for (const tool of ['cat', 'env', 'git', 'node']) {
      await writeFile(join(bin, tool), '#!/bin/sh\necho hurt\nexit 3\n', { mode: 0o755 });
    }
    const pushed = {
      ...{ GL_USERNAME: 'env', SUDO_USER: 'it\'s $(id) "here"', LANG: 'C.UTF-8', NO_COLOR: '' },
      ...{ GIT_PUSH_OPTION_COUNT: '2', GIT_PUSH_OPTION_0: 'gitfleet.message=a\nb `id`', GIT_PUSH_OPTION_1: '' },
    };
    const others = {
      ...{ PATH: `${bin}:${DEFAULT_PATH}`, LD_LIBRARY_PATH: '/x', BASH_ENV: '/x', HOME: '/x', GIT_TRACE: '1' },
      ...{ GIT_PUSH_OPTION_2: 'x', GITFLEET_ZOOKEEPER: 'elsewhere:1', NODE_EXTRA_CA_CERTS: '/x' },
    };
    for (const name of ['post-receive', 'pre-receive']) {
      const told = await repository.runHook(name, INPUT, { ...pushed, ...others });
      expect(told).toMatchObject({ exitCode: 0, stderr: '' });
      expect(JSON.parse(told.stdout)).toEqual({ ...pushed, PATH: DEFAULT_PATH });
    }
    const odd = await repository.runHook('post-receive', INPUT, { GL_USERNAME: 'env', GIT_PUSH_OPTION_COUNT: '1; id' });
    expect(odd).toMatchObject({ exitCode: 0, stderr: '' });
  });

  it('gives the hook that was there before the PATH of the push', async () => {
    await mkdir(join(repository.bare, 'hooks'));
    await writeFile(join(repository.bare, 'hooks/post-receive'), '#!/bin/sh\n/bin/echo "$PATH"\n', { mode: 0o755 });
    await install();
    const { stdout } = await repository.runHook('post-receive', INPUT, { PATH: '/theirs:/usr/bin:/bin' });
    expect(stdout).toMatch(/^\/theirs:\/usr\/bin:\/bin\n/);
  });

  it.each([
    ['lenient', 0, { '0': 0, '5': 1, '1': 0, '2': 0, '7': 0 }],
    ['strict', 1, { '0': 0, '5': 1, '1': 1, '2': 1, '7': 1 }],
  ] as const)(
    'a %s gate refuses what gitfleet refuses, and says when there was no answer',
    async (gate, gone, codes) => {
      await install({ gate });
      for (const [GL_USERNAME, exitCode] of Object.entries(codes)) {
        const told = await repository.runHook('pre-receive', INPUT, { GL_USERNAME });
        expect({ GL_USERNAME, exitCode: told.exitCode }).toEqual({ GL_USERNAME, exitCode });
        expect(told.stderr.includes('the gate gave no answer')).toBe(GL_USERNAME !== '0' && GL_USERNAME !== '5');
      }
      await rm(command[1]);
      expect(await repository.runHook('pre-receive', INPUT)).toMatchObject({ exitCode: gone });
    },
  );

  it('leaves a post-receive exit code of its own to the hook that was there before', async () => {
    await install();
    expect(await repository.runHook('post-receive', INPUT, { GL_USERNAME: '1' })).toMatchObject({ exitCode: 0 });
  });
});

describe('a hook that was there before', () => {
  it('is called first, with the same input, arguments and environment, under its own name; then ours', async () => {
    for (const name of ['post-receive', 'pre-receive']) await foreign(name);
    const { changes } = await install({ gate: 'lenient' });
    expect(changes.join('\n')).toMatch(
      /kept as before-gitfleet\/post-receive and called first[\s\S]*before-gitfleet\/pre-receive/,
    );
    for (const name of ['post-receive', 'pre-receive']) {
      const told = await repository.runHook(name, INPUT);
      expect(told).toMatchObject({ exitCode: 0, stderr: '' });
      expect(told.stdout.startsWith(`${name} . 2 two words\n${INPUT}`)).toBe(true);
      expect(called({ stdout: told.stdout.slice(told.stdout.indexOf('["')) })).toContain(INPUT);
    }
  });

  it('decides about the exit code; a post-receive that fails stops no deployment, a pre-receive that refuses is enough', async () => {
    await foreign('post-receive', 7);
    await foreign('pre-receive', 9);
    await install({ gate: 'lenient' });
    const after = await repository.runHook('post-receive', INPUT);
    expect(after).toMatchObject({ exitCode: 7 });
    expect(after.stdout).toContain('["hook","post-receive"');
    const before = await repository.runHook('pre-receive', INPUT);
    expect(before).toMatchObject({ exitCode: 9 });
    expect(before.stdout).not.toContain('["hook"');
  });

  it('that reads nothing of a large push, or is ended by a signal, stops no deployment', async () => {
    await foreign('post-receive');
    await install();
    const kept = join(repository.bare, 'hooks/before-gitfleet/post-receive');
    const large = `${'x'.repeat(1_048_576)}\n`;
    for (const body of ['exec true', 'kill -PIPE $$', 'kill -HUP $$', 'kill -KILL $$']) {
      await writeFile(kept, `#!/bin/sh\n${body}\n`);
      const told = await repository.runHook('post-receive', large);
      expect(called(told).at(-2)).toBe(large);
    }
  });

  it('that git would not run is not run by us either', async () => {
    await foreign('post-receive', 3);
    await chmod(join(repository.bare, 'hooks/post-receive'), 0o640);
    await install();
    expect(await repository.runHook('post-receive', INPUT)).toMatchObject({ exitCode: 0, stderr: '' });
  });
});

describe('uninstalling', () => {
  it.each([
    ['an empty repository', async () => {}],
    [
      'hooks of somebody else',
      async () => Promise.all(['post-receive', 'pre-receive', 'update'].map((name) => foreign(name))),
    ],
    [
      'hooks that are links, absolute and relative',
      async () => {
        await foreign('update');
        await symlink('update', join(repository.bare, 'hooks/post-receive'));
        await symlink(join(repository.bare, 'hooks/update'), join(repository.bare, 'hooks/pre-receive'));
      },
    ],
    [
      'settings of its own about receiving',
      async () => {
        await git(repository.bare, 'config', 'receive.advertisePushOptions', 'no');
        await git(repository.bare, 'config', 'receive.hideRefs', 'refs/hidden');
        await git(repository.bare, 'config', 'receive.denyDeletes', 'true');
      },
    ],
    [
      'push options that were on already',
      async () => void (await git(repository.bare, 'config', 'receive.advertisePushOptions', 'on')),
    ],
  ])('leaves %s exactly as it was', async (_, prepare) => {
    await mkdir(join(repository.bare, 'hooks'), { recursive: true });
    await prepare();
    const before = await repository.picture();
    await install({ gate: 'strict' });
    await install({ branch: 'release/*', app: '/app/live' });
    expect(await repository.picture()).not.toEqual(before);
    expect((await uninstall({ branch: 'release/*' })).hooks).toEqual([aHook({ gate: 'strict' })]);
    expect(await problems()).toEqual([]);
    const lock = join(repository.bare, 'packed-refs.lock');
    await writeFile(lock, '');
    await utimes(lock, 1, 1);
    expect(await problems()).toEqual([expect.stringMatching(/packed-refs.lock was left: no ref can be deleted/)]);
    await rm(lock);
    await uninstall();
    expect(await repository.picture()).toEqual(before);
    expect((await uninstall()).changes).toEqual([]);
  });

  it('links that were there before still work while ours is installed', async () => {
    await foreign('update');
    await symlink('update', join(repository.bare, 'hooks/post-receive'));
    await install();
    expect((await repository.runHook('post-receive', INPUT)).stdout).toContain(`post-receive . 2 two words\n${INPUT}`);
  });

  it('takes the gate away with its last installation only', async () => {
    await install({ gate: 'lenient' });
    await install({ app: '/app/b', gate: 'strict' });
    await uninstall({ app: '/app/b' });
    expect(Object.keys(await repository.picture())).toContain('hooks/pre-receive');
    await install({ gate: null });
    expect(Object.keys(await repository.picture())).not.toContain('hooks/pre-receive');
  });

  it('what is not there touches nothing', async () => {
    await foreign('pre-receive');
    await install({ gate: 'strict' });
    await install({ app: '/app/b' });
    await rm(join(repository.bare, 'hooks/post-receive'));
    const before = await repository.picture();
    for (const which of [{ branch: 'nope' }, { app: '/app/nope' }, { branch: 'nope', app: '/app/b' }]) {
      expect(await uninstall(which)).toMatchObject({ removed: [], changes: [] });
      expect(await repository.picture()).toEqual(before);
    }
  });

  it('takes broken settings out by the name of their section, and by no other', async () => {
    await install();
    await install({ branch: 'release/*', app: '/app/b', gate: 'strict' });
    const before = await repository.picture();
    await install({ app: '/app/c', gate: 'strict' });
    await git(repository.bare, 'config', '--unset', 'gitfleet.main /app/c.url');
    const { removed, changes } = await uninstall({ app: '/app/c' });
    expect(removed).toEqual([]);
    expect(changes).toEqual(['[gitfleet "main /app/c"] removed, which was broken']);
    expect(await repository.picture()).toEqual(before);
  });

  it('and installing beside broken settings leaves their hook and their gate', async () => {
    await install({ app: '/app/c', gate: 'strict' });
    await install();
    await git(repository.bare, 'config', '--unset', 'gitfleet.main /app/c.url');
    await install({ branch: 'topic' });
    await uninstall({ app: '/app/business' });
    expect(await problems()).toEqual([expect.stringMatching(/incomplete or wrong/)]);
    const gate = await readFile(join(repository.bare, 'hooks/pre-receive'), 'utf8');
    expect(gate).toContain('it is strict, so the push is refused');
    await uninstall({ branch: 'main', app: '/app/c' });
    expect(await problems()).toEqual([]);
    expect(Object.keys(await repository.picture())).toEqual(['config']);
  });

  it('touches nothing where one of the files was edited', async () => {
    await install({ gate: 'strict' });
    await install({ app: '/app/b' });
    const file = join(repository.bare, 'hooks/pre-receive');
    await writeFile(file, `${await readFile(file, 'utf8')}echo mine\n`);
    const before = await repository.picture();
    const changes = [uninstall, () => uninstall({ app: '/app/business' }), () => install({ app: '/app/c' })];
    for (const change of changes) {
      await expect(change()).rejects.toMatchObject({ code: 'HOOK_EDITED' });
      expect(await repository.picture()).toEqual(before);
    }
  });

  it('leaves alone what somebody else put in the place of ours', async () => {
    await install();
    await foreign('post-receive');
    const { changes } = await uninstall();
    expect(await readFile(join(repository.bare, 'hooks/post-receive'), 'utf8')).toContain('exit 0');
    expect(changes).toEqual(["git's receive settings are as before"]);
  });
});

describe('installing again', () => {
  it('changes nothing, and says so; a difference is named, and nothing but it changes', async () => {
    expect((await install()).changes).toHaveLength(5);
    const before = await repository.picture();
    expect((await install()).changes).toEqual([]);
    expect(await repository.picture()).toEqual(before);
    const { changes } = await install({ zookeeper: 'zk2:2181', authFile: '/a' });
    expect(changes).toEqual(['zookeeper: zk1:2181 -> zk2:2181', 'authFile: none -> /a']);
    await chmod(join(repository.bare, 'hooks/post-receive'), 0o644);
    expect((await install({ zookeeper: 'zk2:2181', authFile: '/a' })).changes).toEqual([
      `${repository.bare}/hooks/post-receive written again`,
    ]);
  });

  it('knows all it was told, and forgets what a later installation does not say any more', async () => {
    await install(full);
    expect(await installed()).toEqual([full]);
    await install();
    const members = await readRepositoryConfig(gitOfHooks(), repository.bare);
    const own = Object.keys(members).filter((name) => name.includes(' '));
    const names = ['app', 'branch', 'relativepath', 'url', 'zookeeper'];
    expect(own.sort()).toEqual(names.map((name) => `main /app/business.${name}`));
    expect(await installed()).toEqual([aHook()]);
  });

  it('is told to whoever reads it all at once: whenever it is ended, what was there is there, or what shall be', async () => {
    await install(full);
    for (const doing of ['installing', 'uninstalling']) {
      const start = await installed();
      for (let most = 0, done = false; !done; most += 1) {
        const ended = gitEnding(most);
        const run =
          doing === 'installing'
            ? installHook(ended, repository.bare, aHook({ zookeeper: 'zk9:2181' }), command)
            : uninstallHook(ended, repository.bare, { branch: null, app: null }, command);
        done = await run.then(
          () => true,
          () => false,
        );
        const { hooks, broken } = hookSettings(await readRepositoryConfig(gitOfHooks(), repository.bare));
        expect(broken).toEqual([]);
        const [now, end] = [JSON.stringify(hooks), doing === 'installing' ? [aHook({ zookeeper: 'zk9:2181' })] : []];
        expect([JSON.stringify(start), JSON.stringify(end)]).toContain(now);
        if (done) expect(now).toBe(JSON.stringify(end));
      }
    }
  });

  it('keeps the installations of other branches and apps', async () => {
    const others = [aHook({ branch: 'release/*', app: '/app/a.b' }), aHook({ app: '/app/other' })];
    for (const other of others) await install(other);
    const { hooks } = await install();
    expect(hooks).toHaveLength(3);
    expect(hooks).toEqual(expect.arrayContaining([aHook(), ...others]));
  });

  it('goes on where it was interrupted between keeping the earlier hook and writing ours', async () => {
    await foreign('post-receive');
    const before = await repository.picture();
    await install();
    const file = join(repository.bare, 'hooks/post-receive');
    // As if our file had never come: the earlier hook has both names.
    const { link } = await import('node:fs/promises');
    await rm(file);
    await link(join(repository.bare, 'hooks/before-gitfleet/post-receive'), file);
    expect(await problems()).toEqual([expect.stringMatching(/not ours: an installation ended before ours was/)]);
    const interrupted = await repository.picture();
    await install();
    expect(await problems()).toEqual([]);
    await uninstall();
    expect(await repository.picture()).toEqual(before);
    // Or back, without going on first.
    await install();
    await rm(file);
    await link(join(repository.bare, 'hooks/before-gitfleet/post-receive'), file);
    expect(await repository.picture()).toEqual(interrupted);
    await uninstall();
    expect(await repository.picture()).toEqual(before);
  });

  it.each([
    [
      'post-receive',
      'HOOK_EDITED',
      async (file: string) => writeFile(file, `${await readFile(file, 'utf8')}echo mine\n`),
    ],
    [
      'pre-receive',
      'HOOK_EDITED',
      async (file: string) => writeFile(file, (await readFile(file, 'utf8')).replace('exit 1', 'exit 0')),
    ],
    ['post-receive', 'HOOK_EXISTS', async () => foreign('post-receive', 1)],
  ])('refuses, touching nothing, where %s was changed: %s', async (name, code, change) => {
    await foreign(name);
    await install({ gate: 'lenient' });
    await change(join(repository.bare, 'hooks', name));
    const before = await repository.picture();
    expect(await problems()).toHaveLength(1);
    await expect(install({ gate: 'lenient', zookeeper: 'zk9:2181' })).rejects.toMatchObject({ code });
    expect(await repository.picture()).toEqual(before);
  });

  it('refuses a repository that is none', async () => {
    for (const path of [repository.top, join(repository.top, 'nowhere'), command[1]]) {
      const installing = installHook(gitOfHooks(), path, aHook(), command);
      await expect(installing).rejects.toMatchObject({ code: 'NOT_A_REPOSITORY' });
    }
  });
});

describe('the status of a repository', () => {
  it.each([
    ['the hook file is missing', (file: string) => rm(file), /post-receive is missing/],
    ['it cannot be executed', (file: string) => chmod(file, 0o644), /cannot be executed.*chmod \+x/],
    [
      'somebody replaced it, or it never came',
      () => foreign('post-receive'),
      /not ours: ours is not there, or not any more; run .* again, which keeps both/,
    ],
    [
      'push options are off',
      () => git(repository.bare, 'config', 'receive.advertisePushOptions', 'false'),
      /advertisePushOptions is off/,
    ],
    [
      'settings are incomplete',
      () => git(repository.bare, 'config', '--unset', 'gitfleet.main /app/business.url'),
      /incomplete or wrong/,
    ],
    [
      'settings are nonsense',
      () => git(repository.bare, 'config', 'gitfleet.main /app/business.relativePath', '../up'),
      /incomplete or wrong/,
    ],
  ])('names what is in the way: %s', async (_, spoil, words) => {
    await install();
    await install({ app: '/app/other' });
    expect(await problems()).toEqual([]);
    await spoil(join(repository.bare, 'hooks/post-receive'));
    expect(await problems()).toEqual([expect.stringMatching(words)]);
  });

  it('says what an installation cannot settle by itself: ours was replaced, and one from before is kept', async () => {
    await foreign('post-receive');
    await install();
    const file = join(repository.bare, 'hooks/post-receive');
    await rm(file);
    await writeFile(file, '#!/bin/sh\n', { mode: 0o755 });
    expect(await problems()).toEqual([
      expect.stringMatching(/ours was replaced, and .*before-gitfleet.*move the other/),
    ]);
    await expect(install()).rejects.toMatchObject({ code: 'HOOK_EXISTS' });
  });

  it('says whether the file is what this gitfleet would write', async () => {
    await install();
    const current = async (by: typeof command) =>
      (await inspectHooks(gitOfHooks(), repository.bare, by, Date.now())).files.map((file) => file.current);
    expect(await current(command)).toEqual([true, false]);
    expect(await current([process.execPath, '/another/main.js', DEFAULT_PATH])).toEqual([false, false]);
  });
});

describe('the command that publishes later', () => {
  it('says who one is, and quotes what a shell would take apart', () => {
    const plain =
      'gitfleet publish abc --url https://git.example.com/shop.git --relative-path shop --app /app/business';
    expect(publishCommand(aHook(), 'abc')).toBe(`${plain} -z zk1:2181`);
    expect(publishCommand(full, 'abc')).toBe(
      "GITFLEET_TLS_CA_FILE=/etc/tls/ca.pem GITFLEET_TLS_CERT_FILE='/etc/tls/our cert.pem' " +
        `GITFLEET_TLS_KEY_FILE=/etc/tls/key.pem ${plain} -z zk1:2181 ` +
        "--auth-file '/srv/ann'\\''s/publisher' --settings /etc/shop.yml",
    );
  });
});
