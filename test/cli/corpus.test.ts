import { execFile, spawn } from 'node:child_process';
import { chmod, chown, mkdir, mkdtemp, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { presence, report } from '../../schemas/report.ts';
import { toJson } from '../../schemas/text/lenient-json.ts';
import { cleanEnvironment, git, gitfleet, MAIN, type Ran } from '../support/commands.ts';
import { type Origin, TestFleet } from '../support/fleet.ts';
import { until } from '../support/until.ts';
import { sharedServer } from '../support/zookeeper/shared.ts';

/**
 * Bad input on the command line, with the real binary: rows C01 to C11 of the project's table of bad inputs. None hangs,
 * none prints a stack trace or a secret, each says code and next step, and none writes anything.
 */
const servers = sharedServer();
let fleet: TestFleet;
let origin: Origin;
let first: string;
let directory: string;
/** Takes as long as we wait for a quorum, so it waits while the others run. */
let nobody: Promise<Ran>;

beforeAll(async () => {
  nobody = gitfleet(['status', '-z', '127.0.0.1:1']);
  fleet = await TestFleet.create(servers.connect());
  origin = await fleet.origin();
  first = await origin.commit('first', { f: '1' });
  await git(origin.clone, 'tag', '-a', 'v1', '-m', 'v1');
  await git(origin.clone, 'tag', 'light');
  await git(origin.clone, 'push', '--quiet', 'origin', 'v1', 'light');
  await origin.commit('second \u001b[31mred\u001b[0m', { f: '2' });
  directory = await mkdtemp(join(tmpdir(), 'gitfleet-corpus-'));
});
afterAll(async () => {
  await fleet.stop();
  await rm(directory, { recursive: true, force: true });
});

const here = () => ['-z', fleet.zookeeper, '--app', fleet.app];
const inClone = (...args: string[]) => gitfleet([...args, ...here()], { cwd: origin.clone });

function refused(said: Ran, exitCode: number, words: string | RegExp): void {
  expect(said.stderr).toMatch(words);
  expect(said.exitCode).toBe(exitCode);
  expect(said.stderr).not.toMatch(/\n {4}at |node:internal|secret/);
  expect(said.stdout).toBe('');
}
const nothingWritten = async () => (await fleet.session.get(fleet.znodes.config))?.data.length === 0;

describe('what was typed wrongly is usage, and says what was meant', () => {
  it.each([
    ['C01 an option where a value is missing', ['publish', '--url', '--force'], /--url.*looks like an option/],
    ['C01 a value missing at the end', ['publish', '--url'], /argument missing/],
    ['C01 --force without a reason', ['publish', 'main', '--force'], /requires a reason/],
    ['C01 a hold without a reason', ['hold', '--for', '2h'], /requires a reason/],
    ['C02 an unknown option', ['publish', '--comit'], /unknown option '--comit'/],
    ['C02 one letter wrong', ['status', '--wacth'], /Did you mean --watch\?/],
    ['C02 an unknown verb', ['stauts'], /Did you mean status\?/],
    ['C02 an abbreviated option', ['status', '--zoo', 'x:1'], /unknown option '--zoo'/],
    ['C02 a value glued to its option', ['publish', '--timeout5m'], /unknown option '--timeout5m'/],
    ['C02 words too many', ['status', 'a', 'b'], /too many arguments/],
    ['C02 a deployment that is none', ['attach', 'd-twelve'], /such as d-12/],
    ['C02 a commit that is too short to be one', ['rollback', 'abc'], /such as d-12/],
    ['C02 a revision for a rollback', ['plan', 'main', '--rollback', 'd-1'], /takes no revision/],
    ['C02 a duration that is none', ['publish', 'main', '--timeout', '5'], /duration/],
    ['C02 two that contradict each other', ['publish', 'main', '--wait', '--detach'], /contradict/],
    ['C02 a selector that is none', ['status', '-l', 'role in a'], /SELECTOR/],
  ])('%s', async (_, args, words) => {
    refused(await gitfleet([...args], { env: { GITFLEET_ZOOKEEPER: fleet.zookeeper } }), 2, words);
    const json = await gitfleet([...args, '--json'], { env: { GITFLEET_ZOOKEEPER: fleet.zookeeper } });
    expect(json.exitCode).toBe(2);
    expect(JSON.parse(json.stdout)).toMatchObject({ exitCode: 2, error: { next: 'stall' } });
  });

  it.each([['-x'], ['--upload-pack=x'], ['main:../../x'], ['main..v1'], ['main:f'], ['a\nb'], [':/first'], ['^main']])(
    'C03 a revision such as %j',
    async (rev) => {
      refused(
        await gitfleet(['publish', ...here(), '--relative-path', 'shop', '--', rev], { cwd: origin.clone }),
        2,
        /gitfleet: REF: /,
      );
      expect(await nothingWritten()).toBe(true);
    },
  );

  it('C05 a commit that was never pushed, but for --no-check', async () => {
    await git(origin.clone, 'commit', '--quiet', '--allow-empty', '-m', 'local');
    const said = await inClone('publish', 'HEAD', '--relative-path', 'shop');
    refused(said, 1, /COMMIT_NOT_ON_REMOTE[\s\S]*git push it first/);
    expect(await nothingWritten()).toBe(true);
    const planned = await inClone('plan', 'HEAD', '--relative-path', 'shop', '--json');
    expect(JSON.parse(planned.stdout)).toMatchObject({ blockers: [{ code: 'COMMIT_NOT_ON_REMOTE' }] });
    await git(origin.clone, 'reset', '--quiet', '--hard', 'HEAD~1');
  });

  it('C05 a repository that is not there is refused with a full id too, and one that cannot be asked is not', async () => {
    const asked = (verb: string, url: string) =>
      gitfleet([verb, first, ...here(), '--url', url, '--relative-path', 'shop'], { cwd: directory });
    const nowhere = await asked('publish', `file://${directory}/nope.git`);
    refused(nowhere, 1, /REPOSITORY_NOT_FOUND: [\s\S]*nope\.git[\s\S]*--no-check/);
    expect(await nothingWritten()).toBe(true);
    expect(await asked('plan', `file://${directory}/nope.git`)).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining('blocked by REPOSITORY_NOT_FOUND'),
    });
    expect((await asked('plan', 'http://127.0.0.1:1/shop.git')).stdout).toMatch(
      /warning: the repository could not be asked \(FETCH_FAILED: git: .*connect.*\); the agents will tell/,
    );
    const named = await gitfleet(
      ['publish', 'abc', ...here(), '--url', 'http://127.0.0.1:1/shop.git', '--relative-path', 'shop'],
      { cwd: directory },
    );
    refused(
      named,
      1,
      /FETCH_FAILED: .*\n {2}check that this machine reaches the git server, then run the command again/,
    );
  });

  it.each([
    ['a password in the url', ['--url', 'https://ann:secret@h.example.com/r.git'], /CREDENTIALS/],
    ['a token in the url', ['--url', 'https://secret@h.example.com/r.git'], /CREDENTIALS/],
    ['a credential in place of its file', ['--auth-file', 'digest:ann:secret'], /must be the name of a file/],
  ])('C06 %s', async (_, args, words) => {
    refused(await inClone('publish', first, '--relative-path', 'shop', ...args), 2, words);
  });

  it.each([
    [['agent', 'run', '--nope'], 'gitfleet agent run --help'],
    [['publish', '--nope'], 'gitfleet publish --help'],
    [['nope'], 'gitfleet --help'],
  ])('the hint names the help of %j', async (words, help) => {
    refused(await gitfleet(words), 2, help);
  });

  it.each([[''], [':2181'], ['h:x'], ['h:2181/../x'], ['h:0'], ['h:65536'], ['ten thousand hosts']])(
    'C08 a connect string such as %j',
    async (connect) => {
      const hosts = connect === 'ten thousand hosts' ? Array(10_000).fill('h:2181').join(',') : connect;
      const said = await gitfleet(['status', `--zookeeper=${hosts}`]);
      refused(said, 2, /SETTINGS: zookeeper.connect/);
      expect(said.stderr.length).toBeLessThan(2_000);
    },
  );

  it('C09 a settings file that others may write, one of another user, a link, a directory, a gigabyte, a pipe', async () => {
    const at = (name: string) => join(directory, name);
    await writeFile(at('open.yml'), '{}');
    await chmod(at('open.yml'), 0o666);
    await writeFile(at('group.yml'), '{}');
    await chmod(at('group.yml'), 0o664);
    await writeFile(at('theirs.yml'), '{}');
    expect(process.geteuid?.(), 'only root may give a file away').toBe(0);
    await chown(at('theirs.yml'), 65_534, 65_534);
    await writeFile(at('good.yml'), '{}');
    await symlink('good.yml', at('link.yml'));
    await mkdir(at('dir.yml'));
    await writeFile(at('huge.yml'), '');
    await truncate(at('huge.yml'), 2 ** 30);
    await promisify(execFile)('mkfifo', [at('pipe.yml')]);
    for (const [name, words] of [
      ['open.yml', /written by every user\n {2}chmod go-w /],
      ['group.yml', /written by its group\n {2}chmod go-w /],
      ['theirs.yml', /belongs to the user with uid 65534, and this command runs as uid 0\n {2}.*chown root /],
      ['link.yml', /symbolic link/],
      ['dir.yml', /not a file/],
      ['huge.yml', /larger than/],
      ['pipe.yml', /not a file/],
      ['none.yml', /none\.yml cannot be read: ENOENT: no such file or directory\n/],
    ] as const) {
      refused(await gitfleet(['status', '--settings', at(name)]), 2, words);
    }
    const once = /: nope\.yml cannot be read: ENOENT: no such file or directory\n/;
    refused(await gitfleet(['policy', 'set', 'nope.yml']), 2, once);
  });
});

describe('what was typed rightly', () => {
  it('C04 short ids, tags, branches and revisions become the full commit, which is said', async () => {
    const names = [first.slice(0, 9), first.toUpperCase(), 'light', 'v1', 'refs/tags/v1'];
    for (const rev of [...names, 'main~1', 'HEAD^', 'v1^{}', 'main@{3}']) {
      const said = await inClone('plan', rev, '--relative-path', 'shop', '--json');
      expect([rev, JSON.parse(said.stdout)]).toMatchObject([rev, { target: { commitId: first } }]);
    }
    const relative = await inClone('plan', 'main~1', '--relative-path', 'shop', '--url', origin.url);
    refused(relative, 2, /REF: "main~1" counts from another commit, which only a clone can do/);
    refused(await inClone('plan', 'HEAD^{tree}', '--relative-path', 'shop'), 2, /NO_SUCH_REV/);
    const detached = await inClone('publish', 'v1', '--relative-path', 'shop', '--detach');
    expect(detached).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining(`d-1: ${first.slice(0, 10)} at shop`),
    });
  });

  it('C07 answers within its bound: nobody there, not allowed, somebody faster', async () => {
    const closed = await TestFleet.create(servers.connect(), `${fleet.app}-closed`, { open: false });
    try {
      refused(await closed.run('status'), 7, /NO_AUTH[\s\S]*authFile/);
      refused(
        await closed.run('hold', '-m', 'x'),
        7,
        /NO_AUTH: [\s\S]*no credential is given here [\s\S]*a hold requires the operator's credential[\s\S]*--auth-file/,
      );
    } finally {
      await closed.stop();
    }
    refused(await faster(), 6, /CONFLICT: \S+ published [0-9a-f]{12} as d-2 first; nothing of yours was written/);
    refused(
      await nobody,
      7,
      /UNREACHABLE: no ZooKeeper .*127\.0\.0\.1:1: the connection was refused \(ECONNREFUSED\)\n.*zk status/,
    );
  });

  it('C10 no reader, no terminal, and Ctrl-C before anything is written', async () => {
    const unread = await promisify(execFile)(
      'bash',
      ['-c', '"$@" | true; echo "$PIPESTATUS"', 'bash', process.execPath, MAIN, 'status', ...here()],
      { cwd: '/', env: cleanEnvironment() },
    );
    expect(unread).toEqual({ stdout: '0\n', stderr: '' });
    const before = (await fleet.session.get(fleet.znodes.config))?.stat.version;
    const slow = await slowGit();
    const child = spawn(process.execPath, [MAIN, 'publish', 'main', '--relative-path', 'shop', ...here()], {
      cwd: origin.clone,
      env: cleanEnvironment({ PATH: `${slow.path}:${process.env['PATH']}` }),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (said += text));
    const ended = new Promise((resolve) => child.on('close', (code, signal) => resolve(signal ?? code)));
    await slow.asked();
    child.kill('SIGINT');
    expect(await ended).toBe('SIGINT');
    await slow.release();
    expect(said).toBe('');
    expect((await fleet.session.get(fleet.znodes.config))?.stat.version).toBe(before);
  });

  it('C11 names and titles that carry escape sequences are shown, not obeyed', async () => {
    const agentId = 'web-\u202e\u001b[2J';
    const paths = fleet.znodes;
    const card = { agentId, instanceId: 'i', machineId: 'm', pid: 1, host: '\u001b]0;h\u0007', startedAt: 1 };
    await fleet.session.create(`${paths.online}/web-odd`, toJson(presence(), presence().parse(card)), 'ephemeral');
    const value = {
      ...{ agentId, targetVersion: null, phase: 'failed', activeCommit: '\u001b[1m', phaseAt: 1, at: 1 },
      error: { code: 'X\u001b[5m', reason: 'r\u009b31m', hint: 'h\u0007', next: 'stall' },
      output: 'one\u001b[31m\ntwo\r',
    };
    await fleet.session.create(paths.report('web-odd'), toJson(report(), report().parse(value)), 'persistent');
    await inClone('publish', 'main', '--detach');
    for (const args of [
      ['status'],
      ['status', 'web-odd'],
      ['history'],
      ['plan', 'v1'],
      ['attach', '--timeout', '1s'],
    ]) {
      const said = await inClone(...args);
      expect(`${said.stdout}${said.stderr}`, args.join(' ')).not.toMatch(
        /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/,
      );
    }
    expect((await inClone('history')).stdout).toContain('second \\u001b[31mred\\u001b[0m');
    expect((await inClone('status', 'web-odd')).stdout).toContain('| one\\u001b[31m');
  });
});

/** A git in front of the real one that waits where the repository is asked, with config already read. */
async function slowGit() {
  const folder = await mkdtemp(join(directory, 'slow-'));
  const [mark, go] = [join(folder, 'asked'), join(folder, 'go')];
  const script = `#!/bin/sh\ncase "$*" in *ls-remote*) : > ${mark}; until [ -e ${go} ]; do sleep 0.02; done;; esac\nPATH=${process.env['PATH']} exec git "$@"\n`;
  await writeFile(join(folder, 'git'), script, { mode: 0o755 });
  const { access } = await import('node:fs/promises');
  return {
    path: folder,
    asked: () => until('git was asked', async () => await access(mark).then(() => true)),
    release: () => writeFile(go, ''),
  };
}

/** Publishes while somebody else publishes between the look and the write. */
async function faster(): Promise<Ran> {
  const slow = await slowGit();
  const late = gitfleet(['publish', 'main', '--relative-path', 'shop', ...here()], {
    cwd: origin.clone,
    env: { PATH: `${slow.path}:${process.env['PATH']}` },
  });
  await slow.asked();
  expect((await inClone('publish', 'v1', '--relative-path', 'shop', '--detach')).exitCode).toBe(0);
  await slow.release();
  return await late;
}
