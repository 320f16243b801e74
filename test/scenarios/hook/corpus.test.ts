import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cleanEnvironment, git } from '../../support/commands.ts';
import { type Origin, TestFleet } from '../../support/fleet.ts';
import { commitOnly } from '../../support/git/host.ts';
import { realServers } from '../../support/zookeeper/server.ts';

/**
 * What git, or whoever stands in its place, may hand to a hook: each row through the installed hook file, to a real
 * ZooKeeper. The numbers are those of the table of bad inputs that docs/design.md names.
 */
const servers = realServers(1);
let fleet: TestFleet;
let origin: Origin;
let tip: string;

beforeAll(async () => {
  fleet = await TestFleet.create(servers.connect());
  origin = await fleet.origin();
  tip = await commitOnly(origin.clone, 'one');
  await git(origin.clone, 'push', '--quiet', 'origin', 'HEAD:refs/heads/main', 'HEAD:refs/heads/other');
  const said = await fleet.run('hook', 'install', origin.bare, '--relative-path', 'shop', '--gate', 'strict');
  expect(said).toMatchObject({ exitCode: 0 });
});
afterAll(() => fleet.stop());

interface Told {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** As git runs it: from the repository, with its variables. */
function runHook(
  name: string,
  input: string | Buffer,
  environment: Record<string, string> = {},
  repository = origin.bare,
): Promise<Told> {
  const env = {
    ...cleanEnvironment(),
    GIT_DIR: '.',
    GIT_PUSH_OPTION_COUNT: '1',
    GIT_PUSH_OPTION_0: 'gitfleet.wait=no',
  };
  return new Promise((resolve) => {
    const options = { cwd: repository, env: { ...env, ...environment } };
    const child = execFile(`hooks/${name}`, options, (error, stdout, stderr) => {
      resolve({ exitCode: error ? Number(error.code ?? -1) : 0, stdout, stderr });
    });
    child.stdin?.on('error', () => {}).end(input);
  });
}

const ZERO = '0'.repeat(40);
const OLD = 'a'.repeat(40);
const moves = (ref: string) => `${ZERO} ${tip} ${ref}\n`;
const config = async () => (await fleet.session.get(fleet.znodes.config))?.data.toString() ?? '';
const count = async () => Number((await fleet.session.get(fleet.znodes.deployments))?.data.toString() || 0);

describe.each(['post-receive', 'pre-receive'])('%s publishes nothing, harms no push and says nothing', (name) => {
  it.each<[string, () => string | Buffer]>([
    ['H01 the branch is deleted', () => `${OLD} ${ZERO} refs/heads/main\n`],
    ['H02 a tag', () => moves('refs/tags/main')],
    ['H02 another branch', () => moves('refs/heads/other')],
    ['H02 a branch that a shell would run', () => moves('refs/heads/$(id)')],
    ['H02 a ref that is no branch', () => moves('refs/deployments/x/1')],
    ['H02 300 refs', () => Array.from({ length: 300 }, (_, at) => moves(`refs/heads/topic-${at}`)).join('')],
    ['H03 a malformed line', () => `${tip} refs/heads/main\n`],
    ['H03 too many words', () => `${ZERO} ${tip} refs/heads/main more\n`],
    ['H03 a short id', () => `${ZERO} ${tip.slice(0, 12)} refs/heads/main\n`],
    [
      'H03 an upper-case id',
      () => `${ZERO} ${tip.toUpperCase()} refs/heads/main\n`.replace(/[0-9A-F]{40}/g, 'ABCD'.repeat(10)),
    ],
    ['H03 a line of a megabyte', () => `${'x'.repeat(1_048_576)}\n`],
    ['H03 a branch of a megabyte', () => moves(`refs/heads/${'x'.repeat(1_048_576)}`)],
    ['H03 no line', () => ''],
    ['H03 newlines only', () => '\n\n\n'],
    ['H03 bytes that are no text', () => Buffer.from([0xff, 0xfe, 0x0a, 0x80, 0x0a])],
  ])('%s', async (_, input) => {
    expect(await runHook(name, input())).toEqual({ exitCode: 0, stdout: '', stderr: '' });
    expect(await config()).toBe('');
    expect(await count()).toBe(0);
  });
});

describe('post-receive', () => {
  it('publishes a line without a final newline, once, whatever surrounds it, and whatever the environment says (H03, H05)', async () => {
    const elsewhere = join(fleet.directory, 'elsewhere.git');
    await git(fleet.directory, 'init', '--quiet', '--bare', elsewhere);
    const before = await readFile(join(elsewhere, 'config'), 'utf8');
    const evil = join(fleet.directory, 'evil.cjs');
    await writeFile(evil, `require('node:fs').writeFileSync(${JSON.stringify(`${evil}.ran`)}, '')`);
    const poison = {
      GIT_DIR: elsewhere,
      GIT_WORK_TREE: elsewhere,
      GIT_QUARANTINE_PATH: join(elsewhere, 'objects/incoming-x'),
      GIT_OBJECT_DIRECTORY: join(elsewhere, 'objects'),
      GIT_ALTERNATE_OBJECT_DIRECTORIES: '/nonexistent',
      GIT_INDEX_FILE: '/nonexistent',
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: `gitfleet.main ${fleet.app}.zookeeper`,
      GIT_CONFIG_VALUE_0: '127.0.0.1:1',
      GIT_CONFIG_PARAMETERS: "'core.bare'='nonsense'",
      GIT_CONFIG_GLOBAL: '/nonexistent',
      GIT_EXEC_PATH: '/nonexistent',
      GITFLEET_ZOOKEEPER: '127.0.0.1:1',
      GITFLEET_APP: '/app/other',
      GITFLEET_NONSENSE: 'x',
      NODE_OPTIONS: `--require ${evil}`,
      NODE_TLS_REJECT_UNAUTHORIZED: '0',
    };
    const input = `nonsense\n${moves('refs/heads/other')}${moves('refs/heads/main').trimEnd()}`;
    const { GIT_DIR: _, ...ofPreReceive } = poison;
    expect(await runHook('pre-receive', input, ofPreReceive)).toEqual({ exitCode: 0, stdout: '', stderr: '' });
    const told = await runHook('post-receive', input, poison);
    expect(told).toMatchObject({ exitCode: 0, stderr: '' });
    expect(told.stdout).toContain('d-1: ');
    expect(JSON.parse(await config())).toMatchObject({ commitId: tip, relativePath: 'shop' });
    expect(await count()).toBe(1);
    expect(await readFile(join(elsewhere, 'config'), 'utf8')).toBe(before);
    expect(await git(elsewhere, 'for-each-ref')).toBe('');
    await expect(readFile(`${evil}.ran`)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('gives up within its bound while ZooKeeper is away, and says what to do (H04)', async () => {
    const key = `gitfleet.main ${fleet.app}.zookeeper`;
    await git(origin.bare, 'config', key, '127.0.0.1:1');
    const started = performance.now();
    const told = await runHook('post-receive', moves('refs/heads/main'));
    // Five seconds; the bound says "hangs", not "slow".
    expect(performance.now() - started).toBeLessThan(25_000);
    expect(told).toMatchObject({ exitCode: 0, stdout: '' });
    expect(told.stderr).toContain(
      'pushed, but not deployed: UNREACHABLE: no ZooKeeper of 127.0.0.1:1 answered within 5 s',
    );
    expect(told.stderr).toContain(`to deploy later: gitfleet publish ${tip} --url ${origin.url} --relative-path shop`);
    await git(origin.bare, 'config', key, fleet.zookeeper);
  });

  it('does not say that nothing happened where ZooKeeper stops between its look and its write (H04)', async () => {
    const fresh = await TestFleet.create(servers.connect());
    try {
      const { bare, clone } = await fresh.origin();
      const commitId = await commitOnly(clone, 'one');
      await git(clone, 'push', '--quiet', 'origin', 'HEAD:refs/heads/main');
      const settings = join(fresh.directory, 'impatient.yml');
      await writeFile(settings, JSON.stringify({ zookeeper: { sessionTimeout: '3s' } }), { mode: 0o600 });
      const words = ['hook', 'install', bare, '--relative-path', 'shop', '--settings', settings];
      expect(await fresh.run(...words)).toMatchObject({ exitCode: 0 });
      // The commit's title is asked for last before the write: whoever answers stops the server.
      const { pid } = servers.first;
      const bin = join(fresh.directory, 'bin');
      await mkdir(bin);
      const script = `#!/bin/sh\ncase "$*" in *' log -1 '*) kill -STOP ${pid} ;; esac\nPATH=\${PATH#*:} exec git "$@"\n`;
      await writeFile(join(bin, 'git'), script, { mode: 0o755 });
      // The hook takes no PATH from the push, so the one that is written in it is changed.
      const hook = join(bare, 'hooks/post-receive');
      const written = await readFile(hook, 'utf8');
      await writeFile(hook, written.replace(/^PATH=/m, `PATH=${bin}:`));
      const line = `${ZERO} ${commitId} refs/heads/main\n`;
      try {
        const told = await runHook('post-receive', line, {}, bare);
        expect(told).toMatchObject({ exitCode: 0, stdout: '' });
        expect(told.stderr).toContain('whether it deploys is not known: PUBLISH_UNKNOWN: ZooKeeper went away');
        expect(told.stderr).toContain(`to deploy later: gitfleet publish ${commitId} `);
      } finally {
        if (pid !== undefined) process.kill(pid, 'SIGCONT');
        await writeFile(hook, written);
      }
      // Whether the server took the request before it ended our session is its own matter: once more settles it.
      expect((await runHook('post-receive', line, {}, bare)).stdout).toMatch(/d-1: |published already as d-1 /);
      const numbers = await fresh.session.children(fresh.znodes.deployments);
      expect(numbers).toEqual(['d-1']);
    } finally {
      await fresh.stop();
    }
  });
});
