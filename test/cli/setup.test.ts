import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { cleanEnvironment, gitfleet, MAIN } from '../support/commands.ts';

let scratch: string;
let file: string;
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'gitfleet-first-'));
  file = join(scratch, 'etc/gitfleet.yml');
});
afterEach(() => rmSync(scratch, { recursive: true, force: true }));

const ZK = ['-z', 'zk1:2181,zk2:2181'];
const URLS = ['--allow-url', 'https://git.example.com/'];

/** Types each line once its question is asked; resolves to what the terminal showed. */
function atTerminal(args: readonly string[], ...answers: readonly string[]): string {
  const script = [
    'import os, pty, sys',
    'child, terminal = pty.fork()',
    `if child == 0: os.execvp('${process.execPath}', ${JSON.stringify(['node', MAIN, 'setup', ...args])})`,
    "said, begun = b'', 0",
    `for answer in ${JSON.stringify(answers)}:`,
    "    while not (said.endswith(b': ') and (begun == 0 or b'\\n' in said[begun:])): said += os.read(terminal, 65536)",
    '    begun = len(said)',
    "    os.write(terminal, answer.encode() + b'\\n')",
    'try:',
    '    while True:',
    '        more = os.read(terminal, 65536)',
    '        if not more: break',
    '        said += more',
    'except OSError: pass',
    'os.write(1, said)',
    'sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))',
  ];
  return execFileSync('python3', ['-c', script.join('\n')], {
    env: cleanEnvironment({ TERM: 'dumb' }),
    cwd: scratch,
    encoding: 'utf8',
    timeout: 60_000,
  });
}

describe('setup without a terminal', () => {
  it('writes the settings of a server from its options, and they are read as such', async () => {
    const args = ['setup', 'server', ...ZK, ...URLS, '--label', 'role=web', '--auth-file', 'agent.auth', '--out', file];
    const said = await gitfleet(args, { cwd: scratch });
    expect(said).toMatchObject({ exitCode: 0, stderr: '' });
    expect(said.stdout).toBe(
      `${file} is written\nnext: gitfleet doctor --settings ${file}\nthen: gitfleet agent run --settings ${file}\n`,
    );
    expect(parse(readFileSync(file, 'utf8'))).toEqual({
      zookeeper: { connect: 'zk1:2181,zk2:2181', authFile: join(scratch, 'agent.auth') },
      app: '/app/business',
      agent: { root: '/srv/www', allowUrls: ['https://git.example.com/'], labels: { role: 'web' } },
    });
    expect(readdirSync(join(scratch, 'etc'))).toEqual(['gitfleet.yml']);
    // Read by another verb: what is missing is ZooKeeper, and no setting.
    const used = await gitfleet(['agent', 'verify', '--settings', file, '--state', join(scratch, 'state')]);
    expect(used.stderr).not.toContain('SETTINGS');
  });

  it('writes those of a publisher', async () => {
    const args = ['setup', 'publisher', '-z', 'zk1', '--relative-path', 'shop', '--out', file];
    expect(await gitfleet(args)).toMatchObject({ exitCode: 0 });
    expect(parse(readFileSync(file, 'utf8'))).toEqual({
      zookeeper: { connect: 'zk1' },
      app: '/app/business',
      publisher: { relativePath: 'shop' },
    });
  });

  it.each([
    ['what no option gives', ['server'], /--zookeeper and --allow-url must be given, since there is no terminal/],
    ['the kind of machine', [...ZK], /server or publisher must be named/],
    ['a kind that is none', ['client', ...ZK], /"client" is no kind of machine/],
    ['an option of the other kind', ['publisher', ...ZK, ...URLS], /a publisher has no --allow-url/],
    ['an address that is none', ['server', '-z', 'zk1:x', ...URLS], /zookeeper.connect/],
    ['a root that is none', ['server', ...ZK, ...URLS, '--root', '/'], /must be below \//],
  ])('refuses %s, and writes nothing', async (_, args, words) => {
    const { exitCode, stderr } = await gitfleet(['setup', ...args, '--out', file]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 2, stderr: expect.stringMatching(words) });
    expect(existsSync(file)).toBe(false);
  });

  it('never overwrites a file, but for the example of a package as it came', async () => {
    const out = join(scratch, 'gitfleet.yml');
    const args = ['setup', 'server', ...ZK, ...URLS, '--out', out];
    writeFileSync(out, '# mine\n');
    const refused = await gitfleet(args);
    expect(refused).toMatchObject({ exitCode: 2, stderr: expect.stringContaining(`${out} exists`) });
    expect(readFileSync(out, 'utf8')).toBe('# mine\n');
    copyFileSync(join(import.meta.dirname, '../../packaging/gitfleet.yml'), out);
    expect(await gitfleet(args)).toMatchObject({ exitCode: 0 });
    expect(readFileSync(out, 'utf8')).toContain('zk1:2181,zk2:2181');
    expect(await gitfleet(args)).toMatchObject({ exitCode: 2 });
    expect(readdirSync(scratch)).toEqual(['gitfleet.yml']);
  });
});

it('setup makes what the user of the agent can read, whatever the umask, and says where it cannot', async () => {
  const words = [process.execPath, MAIN, 'setup', 'publisher', '-z', 'zk1', '--out', file];
  execFileSync('sh', ['-c', 'umask 077; exec "$@"', 'sh', ...words], { env: cleanEnvironment() });
  expect(statSync(join(scratch, 'etc')).mode & 0o777).toBe(0o755);
  expect(statSync(file).mode & 0o777).toBe(0o644);
  const nowhere = await gitfleet(['setup', 'publisher', '-z', 'zk1', '--out', '/proc/nothing/gitfleet.yml']);
  expect(nowhere).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('/proc/nothing cannot be made') });
  const taken = await gitfleet(['setup', 'publisher', '-z', 'zk1', '--out', scratch]);
  expect(taken).toMatchObject({ exitCode: 2, stderr: expect.stringContaining(`${scratch} exists`) });
});

describe('setup at a terminal', () => {
  it('asks what no option gives, says what is wrong with an answer, and takes its own word for an empty one', () => {
    const said = atTerminal(
      ['--out', file, '--root', '/srv/shop'],
      ...['', '', 'zk1:x', 'zk1:2181', '', 'https://git.example.com/ ssh://git@h.example.com/', ''],
    );
    expect(said).toContain('this needs an answer');
    expect(said).toMatch(/zookeeper\.connect/);
    expect(said).not.toContain('directory below which');
    expect(said).toContain(`${file} is written`);
    expect(parse(readFileSync(file, 'utf8'))).toEqual({
      zookeeper: { connect: 'zk1:2181' },
      app: '/app/business',
      agent: { root: '/srv/shop', allowUrls: ['https://git.example.com/', 'ssh://git@h.example.com/'] },
    });
  });

  it('refuses a file that exists before it asks', () => {
    writeFileSync(join(scratch, 'mine.yml'), '{}');
    expect(() => atTerminal(['--out', join(scratch, 'mine.yml')])).toThrowError();
    expect(readFileSync(join(scratch, 'mine.yml'), 'utf8')).toBe('{}');
  });
});
