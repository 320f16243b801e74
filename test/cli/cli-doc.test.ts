import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type * as z from 'zod';
import { EXIT } from '../../cli/shell/exit-codes.ts';
import * as output from '../../schemas/json-output.ts';
import * as ofServices from '../../services/output.ts';
import { gitfleet } from '../support/commands.ts';

const DOC = readFileSync(join(import.meta.dirname, '../../docs/cli.md'), 'utf8');
const shapes = Object.entries<unknown>({ ...output, ...ofServices }).filter((each): each is [string, z.ZodType] =>
  each[0].endsWith('Output'),
);
const examples = [...DOC.matchAll(/^```json (\w+)\n([^`]*)\n```$/gm)].map(
  ([, name = '', value = '']) => [name, value] as const,
);

/** The verbs that a help text lists. */
async function verbsOf(...command: string[]): Promise<string[]> {
  const { stdout } = await gitfleet([...command, '--help']);
  return stdout
    .split('\n')
    .flatMap((line) => /^ {2}([a-z][a-z-]*)/.exec(line)?.[1] ?? [])
    .filter((verb) => verb !== 'help');
}

describe('docs/cli.md', () => {
  it.each(examples)('shows a %s as it is', (name, value) => {
    const shape = shapes.find(([each]) => each === name)?.[1];
    expect(shape?.parse(JSON.parse(value))).toEqual(JSON.parse(value));
  });

  it('names every shape and every exit code', () => {
    expect(examples.length).toBeGreaterThan(5);
    expect(examples).toHaveLength(DOC.match(/^```json/gm)?.length ?? 0);
    for (const [name] of shapes) expect(DOC).toContain(`\`${name}\``);
    const codes = [...DOC.matchAll(/^\| (\d+) \|/gm)].map(([, code]) => Number(code));
    expect(codes).toEqual(Object.values(EXIT));
  });
});

describe('--help', () => {
  it('lists the verbs in groups, each verb once', async () => {
    const { stdout } = await gitfleet(['--help']);
    const headings = [...stdout.matchAll(/^([A-Z][A-Za-z -]+):$/gm)].map(([, heading]) => heading);
    expect(headings).toEqual([
      'Options',
      'First look',
      'Publish',
      'Watch',
      'Rollout',
      'Server',
      'ZooKeeper',
      'Programs',
      'This command',
    ]);
    const verbs = await verbsOf();
    expect(verbs).toEqual([...new Set(verbs)]);
  });

  it.each([
    [['publish', '--dry-run'], 'gitfleet plan shows what publish would do'],
    [['rollback', '--dry-run'], 'gitfleet plan --rollback what rollback would'],
    [['-v'], 'gitfleet version'],
  ])('%j names what does it here', async (words, said) => {
    const { exitCode, stderr } = await gitfleet(words);
    expect({ exitCode, stderr }).toEqual({ exitCode: 2, stderr: expect.stringContaining(said) });
  });

  it('version is -V', async () => {
    const { stdout } = await gitfleet(['-V']);
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect(await gitfleet(['version'])).toMatchObject({ exitCode: 0, stdout });
  });

  it('version --json says which Node, git and commit, too', async () => {
    const { stdout } = await gitfleet(['version', '--json']);
    const said = output.versionOutput.parse(JSON.parse(stdout));
    expect(said).toMatchObject({ node: process.versions.node, git: expect.stringMatching(/^2\./) });
    // Built outside of a clone, as from a tarball, it is not known.
    if (existsSync(join(import.meta.dirname, '../../.git'))) expect(said.commit).toMatch(/^[0-9a-f]{40}(-dirty)?$/);
    expect(
      JSON.parse((await gitfleet(['version', '--json'], { env: { PATH: '/nonexistent' } })).stdout).git,
    ).toBeNull();
  });

  it('of every verb says what it does, with an example, in lines that fit', async () => {
    const groups = ['agent', 'hook', 'zk', 'policy', 'flag', 'kv', 'service'];
    const verbs = (await verbsOf()).flatMap((verb) => (groups.includes(verb) ? [] : [[verb]]));
    for (const group of groups) verbs.push(...(await verbsOf(group)).map((verb) => [group, verb]));
    expect(verbs.length).toBeGreaterThan(25);
    // What only a hook calls has no example to type.
    const typed = verbs.filter((words) => !/^hook (pre|post)-receive$/.test(words.join(' ')));
    for (const words of typed) {
      const { exitCode, stdout, stderr } = await gitfleet([...words, '--help']);
      expect({ words, exitCode, stderr }).toEqual({ words, exitCode: 0, stderr: '' });
      expect(stdout).toMatch(/Examples?:\n {2}\S/);
      const [text = ''] = stdout.split(/Examples?:/);
      for (const line of text.split('\n')) expect(line.length, `${words.join(' ')}: ${line}`).toBeLessThanOrEqual(80);
    }
  });

  it.each([
    [['stauts', '--help'], "'stauts' Did you mean status?", 'gitfleet --help'],
    [['--help', 'stauts'], "'stauts' Did you mean status?", 'gitfleet --help'],
    [['help', 'stauts'], "'stauts' Did you mean status?", 'gitfleet --help'],
    [['agent', 'ron', '-h'], "'ron' Did you mean run?", 'gitfleet agent --help'],
    [['help', 'agent', 'ron'], "'ron' Did you mean run?", 'gitfleet agent --help'],
  ])('%j says that there is no such verb, and what was meant', async (words, said, next) => {
    const { exitCode, stdout, stderr } = await gitfleet(words);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr.replace(/\n\s*/g, ' ')).toContain(`USAGE: unknown command ${said} ${next} shows how`);
  });

  it.each([[['help']], [['--help']], [['help', 'status']], [['status', '--help', 'help']], [['agent', 'help', 'run']]])(
    '%j is help',
    async (words) =>
      expect(await gitfleet(words)).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^Usage: /) }),
  );
});
