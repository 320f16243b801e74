import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT_MEANS, manualPages } from '../../cli/manual/pages.ts';
import { EXIT } from '../../cli/shell/exit-codes.ts';
import { FORMATS } from '../../schemas/settings/service-settings.ts';
import { cleanEnvironment, gitfleet } from '../support/commands.ts';

const DIST = join(import.meta.dirname, '../../dist');
const SHARE = join(DIST, 'share');
/** Of the build: program.ts looks for package.json from there. */
const { wholeTable } = (await import(join(DIST, 'cli/program.js'))) as typeof import('../../cli/program.ts');
const described = (await import(join(DIST, 'cli/manual/describe.js'))) as typeof import('../../cli/manual/describe.ts');
const { describe: describeTable, KNOWN_VALUES } = described;
const scratch = mkdtempSync(join(tmpdir(), 'gitfleet-manual-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** Every command of the table itself, by the words that call it; each alias is one more. */
function allCommands(command: Command, words: readonly string[] = []): [readonly string[], Command][] {
  const below = command.commands.flatMap((child) =>
    [child.name(), ...child.aliases()].flatMap((name) => allCommands(child, [...words, name])),
  );
  return [[words, command], ...below];
}
const commands = allCommands(wholeTable().root);
const spellingsOf = (command: Command) =>
  command.options.flatMap(({ short, long }) => [short, long].filter((each) => each !== undefined));

const COMPLETION = join(scratch, 'gitfleet.bash');
beforeAll(async () => writeFileSync(COMPLETION, (await gitfleet(['completion', 'bash'])).stdout));

/** What a real bash offers for these words, the last of which is being typed; bash itself splits at `=`. */
function offered(lines: readonly (readonly string[])[]): string[][] {
  const calls = lines.map((words) => {
    const quoted = words.map((word) => `'${word}'`).join(' ');
    return `COMP_WORDS=(gitfleet ${quoted}); COMP_CWORD=${words.length}; _gitfleet; echo "\${COMPREPLY[*]}"`;
  });
  // compopt is for a completion that bash itself began.
  const script = [`source ${COMPLETION}`, 'compopt() { :; }', ...calls].join('\n');
  const said = spawnSync('bash', ['--noprofile', '--norc'], {
    input: script,
    env: cleanEnvironment(),
    cwd: scratch,
    encoding: 'utf8',
  });
  expect(said.stderr).toBe('');
  return said.stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split(' ').filter((word) => word !== ''));
}

describe('completion', () => {
  it('of bash offers each verb, and of each verb every option, as the table has them', () => {
    expect(commands.length).toBeGreaterThan(60);
    const options = offered(commands.map(([words]) => [...words, '-']));
    for (const [at, [words, command]] of commands.entries())
      expect([words, options[at]?.toSorted()]).toEqual([words, [...spellingsOf(command), '-h', '--help'].toSorted()]);
    const groups = commands.filter(([, command]) => command.commands.length > 0);
    const verbs = offered(groups.map(([words]) => [...words, '']));
    for (const [at, [words, command]] of groups.entries()) {
      const names = command.commands.flatMap((child) => [child.name(), ...child.aliases()]);
      const help = words.length === 0 ? ['help'] : [];
      expect([words, verbs[at]]).toEqual([words, [...names, ...help]]);
    }
  });

  it.each([
    ['the beginning of a verb', ['pu'], ['publish']],
    ['a verb below a verb', ['agent', 'r'], ['run', 'rollback', 'resume']],
    ['after an option and its value', ['deploy', '-z', 'zk1', '--ur'], ['--url']],
    ['the value of an option', ['service', 'write', 'shop', '--format', ''], [...FORMATS]],
    ['a value behind =', ['service', 'write', 'shop', '--format', '=', 'ng'], ['nginx']],
    ['a value behind = that is not begun', ['zk', 'up', '--servers', '='], ['1', '3']],
    ['a value of one option is none of another', ['service', 'pick', '--key', 'ra'], []],
    ['an operand of which the table knows the values', ['completion', ''], ['bash', 'zsh', 'fish']],
    ['no second one where there is only one', ['completion', 'bash', ''], []],
    ['a file', ['policy', 'set', 'gitfleet.b'], ['gitfleet.bash']],
    ['a value of which nothing is known', ['publish', '--url', ''], []],
    ['nothing that looks like an option behind --', ['lock', 'x', '--', '--z'], []],
  ])('of bash offers %s', (_, words, expected) => expect(offered([words])).toEqual([expected]));

  it('of bash works at the Tab key of a terminal', () => {
    const rc = join(scratch, 'rc');
    writeFileSync(rc, `PS1='ready> '; gitfleet() { echo "got <$*>"; }; source ${COMPLETION}\n`);
    const typed = ['gitfleet publ\\t--det\\t', 'gitfleet service write x --format=ngi\\t', 'gitfleet policy set rc\\t'];
    const script = [
      'import os, pty',
      'child, terminal = pty.fork()',
      `if child == 0: os.execvp('bash', ['bash', '--noprofile', '--rcfile', '${rc}', '-i'])`,
      "said = b''",
      // A line is typed when bash asks for it: only then does it hear Tab.
      ...[...typed, 'exit'].flatMap((line, at) => [
        `while said.count(b'ready> ') <= ${at}: said += os.read(terminal, 65536)`,
        `os.write(terminal, b'${line}\\n')`,
      ]),
      'os.write(1, said); os.waitpid(child, 0)',
    ];
    const said = execFileSync('python3', ['-c', script.join('\n')], {
      env: cleanEnvironment({ TERM: 'dumb', HOME: scratch }),
      cwd: scratch,
      encoding: 'utf8',
      timeout: 30_000,
    });
    const got = [...said.matchAll(/^got <(.*)>\r$/gm)].map(([, words]) => words?.trim());
    expect(got).toEqual(['publish --detach', 'service write x --format=nginx', 'policy set rc']);
  });

  it.each(['zsh', 'fish'])('of %s has each verb and each option of the table', async (shell) => {
    const { stdout } = await gitfleet(['completion', shell]);
    const lines = stdout.split('\n');
    const isPart = (words: readonly string[]) => {
      if (shell === 'fish') return lines.filter((line) => line.includes(`'__gitfleet_at ${words.join(' ')}'`));
      const at = lines.indexOf(`${['_gitfleet', ...words].join('_').replaceAll('-', '_')}() {`);
      return lines.slice(at, lines.indexOf('}', at));
    };
    const named = commands.filter(([words, command]) => words.at(-1) === command.name());
    for (const [words, command] of named) {
      const part = isPart(words).join('\n');
      for (const name of spellingsOf(command)) {
        const written =
          shell === 'zsh' ? name : name.startsWith('--') ? `-l ${name.slice(2)} ` : `-s ${name.slice(1)} `;
        expect(part, words.join(' ')).toContain(written);
      }
      for (const child of command.commands) expect(part).toContain(child.name());
    }
  });

  it('refuses another shell, with what there is', async () => {
    const { exitCode, stderr } = await gitfleet(['completion', 'tcsh']);
    expect({ exitCode, stderr }).toEqual({ exitCode: 2, stderr: expect.stringContaining('bash, zsh, fish') });
  });

  it('offers values for words that exist only', () => {
    const words = commands.flatMap(([path, command]) => [
      ...command.options.map(({ long }) => [...path, long].join(' ')),
      ...command.registeredArguments.map((operand) => [...path, operand.name()].join(' ')),
    ]);
    for (const word of Object.keys(KNOWN_VALUES)) expect(words).toContain(word);
    expect(KNOWN_VALUES['service write --format']).toEqual(FORMATS);
  });
});

describe('the manual', () => {
  const pages = manualPages(describeTable(wholeTable().root), { version: '1.2.3', exit: EXIT });

  it('has a page for each verb, with what is below it and every option', () => {
    const verbs = commands.filter(([words, command]) => words.length === 1 && words[0] === command.name());
    const names = [...verbs.map(([[name]]) => `gitfleet-${name}.1`), 'gitfleet-help.1', 'gitfleet.1'];
    expect(Object.keys(pages).toSorted()).toEqual(names.toSorted());
    for (const [[verb, ...rest], command] of commands) {
      if (verb === undefined || verb === 'deploy') continue;
      const page = pages[`gitfleet-${verb}.1`] ?? '';
      for (const name of spellingsOf(command)) expect(page).toContain(name.replaceAll('-', '\\-'));
      expect(page).toContain([verb, ...rest].join(' ').replaceAll('-', '\\-'));
    }
    for (const [[name]] of verbs) expect(pages['gitfleet.1']).toContain(`gitfleet\\-${name}\\fR(1)`);
  });

  it('is in the build as it is made', () => {
    expect(readdirSync(join(SHARE, 'man/man1')).toSorted()).toEqual(Object.keys(pages).toSorted());
    const { version, man } = JSON.parse(readFileSync(join(SHARE, '../../package.json'), 'utf8'));
    // npm links what it finds named there, one by one.
    expect(man.toSorted()).toEqual(
      Object.keys(pages)
        .map((name) => `dist/share/man/man1/${name}`)
        .toSorted(),
    );
    const built = readFileSync(join(SHARE, 'man/man1/gitfleet-publish.1'), 'utf8');
    expect(built.replace(version, '1.2.3')).toBe(pages['gitfleet-publish.1']);
  });

  it.each(Object.keys(pages))('renders %s without a warning', (name) => {
    const said = spawnSync('groff', ['-ww', '-man', '-Tutf8', '-P-c', '-P-b', '-P-u'], {
      input: pages[name],
      encoding: 'utf8',
    });
    expect({ status: said.status, stderr: said.stderr }).toEqual({ status: 0, stderr: '' });
    expect(said.stdout).toContain('NAME');
  });

  it('shows words as a person types them: no sign of theirs is roff to it', () => {
    const rendered = spawnSync('groff', ['-ww', '-man', '-Tascii', '-P-c', '-P-b', '-P-u'], {
      input: pages['gitfleet-service.1'],
      encoding: 'utf8',
    }).stdout;
    expect(rendered).toContain(
      'gitfleet service write shop/web --format nginx --out /etc/nginx/shop.conf --reload "nginx -s reload"',
    );
  });

  it('breaks no name, and changes no value to a capital', () => {
    const rendered = (page: string) =>
      spawnSync('groff', ['-ww', '-man', '-Tascii', '-P-c', '-P-b', '-P-u'], { input: pages[page], encoding: 'utf8' })
        .stdout;
    expect(rendered('gitfleet-lock.1')).toMatch(/GITFLEET_FENCE, a number/);
    expect(rendered('gitfleet-lock.1')).toContain('gitfleet lock [options] name -- command...');
    expect(rendered('gitfleet-service.1')).toMatch(/^ {3}gitfleet service register$/m);
    expect(rendered('gitfleet-service.1')).toMatch(/ tcp \(default\)/);
    expect(rendered('gitfleet.1')).not.toContain('`');
  });

  it('gives each exit code the meaning that docs/cli.md gives it', () => {
    const doc = readFileSync(join(SHARE, '../../docs/cli.md'), 'utf8');
    for (const [name, means] of Object.entries(EXIT_MEANS))
      expect(doc).toContain(`| ${EXIT[name as keyof typeof EXIT]} | ${means} |`);
  });
});
