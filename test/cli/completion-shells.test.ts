import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cleanEnvironment, gitfleet } from '../support/commands.ts';

/* What real zsh and fish make of the completion; bash: manual.test.ts. */
const scratch = mkdtempSync(join(tmpdir(), 'gitfleet-shells-'));
const env = cleanEnvironment({ HOME: scratch, TERM: 'vt100', LC_ALL: 'C.UTF-8' });
beforeAll(async () => {
  for (const [shell, file] of [
    ['zsh', '_gitfleet'],
    ['fish', 'gitfleet.fish'],
  ] as const)
    writeFileSync(join(scratch, file), (await gitfleet(['completion', shell])).stdout);
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const FORMATS = ['envoy', 'haproxy', 'json', 'nginx', 'prometheus'];

describe('completion of fish', () => {
  function offered(line: string): string[] {
    const script = `source ${join(scratch, 'gitfleet.fish')}; complete -C '${line}'`;
    const said = spawnSync('fish', ['--no-config', '-c', script], { env, cwd: scratch, encoding: 'utf8' });
    expect({ status: said.status, stderr: said.stderr }).toEqual({ status: 0, stderr: '' });
    const words = said.stdout.split('\n').map((each) => each.split('\t')[0] ?? '');
    return words.filter((word) => word !== '').toSorted();
  }

  it.each<[string, string, string[]]>([
    ['the beginning of a verb', 'gitfleet pub', ['publish']],
    ['a verb below a verb', 'gitfleet agent r', ['resume', 'rollback', 'run']],
    ['after an option and its value', 'gitfleet deploy -z zk1 --ur', ['--url']],
    ['the value of an option', 'gitfleet service write shop/web --format ', FORMATS],
    ['a value behind =', 'gitfleet service write --format=ng', ['--format=nginx']],
    ['an optional value', 'gitfleet hook install --gate ', ['lenient', 'strict']],
    ['an option after one with an optional value', 'gitfleet hook install --gate --stric', []],
    ['an operand of which the table knows the values', 'gitfleet completion ', ['bash', 'fish', 'zsh']],
    ['a file', 'gitfleet policy set gitfleet.f', ['gitfleet.fish']],
    ['a value of which nothing is known', 'gitfleet publish --url ', []],
    ['no file for a verb', 'gitfleet stat', ['status']],
  ])('offers %s', (_, line, expected) => expect(offered(line)).toEqual(expected));

  it('offers every option of an option-like word, also after an optional value', () => {
    expect(offered('gitfleet hook install --gate strict --')).toContain('--branch');
    expect(offered('gitfleet hook install --gate --')).toContain('--branch');
  });
});

describe('completion of zsh', () => {
  it('works at the Tab key of a terminal', () => {
    const rc = [
      "PS1='ready> '; PROMPT_SP=''; unsetopt PROMPT_SP beep; zstyle ':completion:*' menu no",
      `fpath=(${scratch} $fpath); autoload -Uz compinit; compinit -u -D`,
      'gitfleet() { print -r -- "got <$*>" }',
    ];
    writeFileSync(join(scratch, '.zshrc'), `${rc.join('\n')}\n`);
    const typed = [
      'gitfleet publ\\t--det\\t',
      'gitfleet agent ru\\t--log-format t\\t',
      'gitfleet deploy -z zk1 -m why --det\\t',
      'gitfleet publish --rel\\tshop',
      'gitfleet service write x --format=ngi\\t',
      'gitfleet hook install --gate str\\t',
      'gitfleet completion zs\\t',
      'gitfleet policy set gitfleet.f\\t',
      'gitfleet lock name -- lsbl\\t',
      'gitfleet lock name -- ls gitfleet.f\\t',
    ];
    const script = [
      'import os, pty',
      'child, terminal = pty.fork()',
      "if child == 0: os.execvp('zsh', ['zsh', '-o', 'NO_GLOBAL_RCS', '-i'])",
      "said = b''",
      // A line is typed when zsh asks for it: only then does it hear Tab.
      ...[...typed, 'exit'].flatMap((line, at) => [
        `while said.count(b'ready> ') <= ${at}: said += os.read(terminal, 65536)`,
        `os.write(terminal, b'${line}\\n')`,
      ]),
      'os.write(1, said); os.waitpid(child, 0)',
    ];
    const said = execFileSync('python3', ['-c', script.join('\n')], {
      env: { ...env, ZDOTDIR: scratch },
      cwd: scratch,
      encoding: 'utf8',
      timeout: 60_000,
    });
    const got = [...said.matchAll(/^got <(.*)>\r$/gm)].map(([, words]) => words?.trim());
    expect(got).toEqual([
      'publish --detach',
      'agent run --log-format text',
      'deploy -z zk1 -m why --detach',
      'publish --relative-path=shop',
      'service write x --format=nginx',
      'hook install --gate strict',
      'completion zsh',
      'policy set gitfleet.fish',
      'lock name -- lsblk',
      'lock name -- ls gitfleet.fish',
    ]);
  });
});
