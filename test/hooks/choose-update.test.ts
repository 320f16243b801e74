import { describe, expect, it } from 'vitest';
import { candidates, choose, oddBranches, parseUpdates, unclearUpdates } from '../../hooks/choose-update.ts';
import { hookSettings } from '../../hooks/hook-settings.ts';
import { aHook } from './test-hook.ts';

const A = 'a'.repeat(40);
const B = 'b'.repeat(40);
const ZERO = '0'.repeat(40);
const chosen = (input: string, hooks = [aHook()]) =>
  candidates(parseUpdates(input), hooks).map((of) => of.map(({ hook, branch }) => `${branch} by ${hook.branch}`));

describe('which pushes publish', () => {
  it.each([
    ['the branch moves', `${A} ${B} refs/heads/main\n`, true],
    ['the branch is made', `${ZERO} ${B} refs/heads/main\n`, true],
    ['among 300 others', `${`${A} ${B} refs/heads/other\n`.repeat(300)}${A} ${B} refs/heads/main\n`, true],
    ['without a final newline', `${A} ${B} refs/heads/main`, true],
    ['beside what is no line', `nonsense\n\n${A} ${B} refs/heads/main\n${A} x\n`, true],
    ['H01: the branch is deleted', `${A} ${ZERO} refs/heads/main\n`, false],
    ['H02: a tag', `${A} ${B} refs/tags/main\n`, false],
    ['H02: another branch', `${A} ${B} refs/heads/mainly\n`, false],
    ['H02: a hostile branch', `${A} ${B} refs/heads/$(id)\n`, false],
    ['H03: a malformed line', `${A} refs/heads/main\n`, false],
    ['H03: a line of a megabyte', `${'x'.repeat(1_048_576)}\n`, false],
    ['H03: nothing', '', false],
  ])('%s', (_, input, expected) => {
    expect(chosen(input)).toEqual(expected ? [['main by main']] : []);
  });

  const push = ['main', 'release/9', 'release/10', 'topic', '$(id)']
    .map((branch) => `${A} ${B} refs/heads/${branch}\n`)
    .join('');

  it('names the branches that a pattern means and does not take, and no others', () => {
    const names = ['release/7', 'release/$7', 'release/a\u00a0b', 'topic/$', 'main'];
    const input = `${names.map((name) => `${A} ${B} refs/heads/${name}\n`).join('')}${A} ${ZERO} refs/heads/release/$9\n`;
    const hooks = [aHook(), aHook({ branch: 'release/*' })];
    expect(oddBranches(parseUpdates(input), hooks)).toEqual(['release/$7', 'release/a\u00a0b']);
  });

  it('gives every app the branches of its patterns', () => {
    const hooks = [
      aHook({ branch: 'main' }),
      aHook({ branch: 'release/*', app: '/app/live' }),
      aHook({ branch: '**', app: '/app/try' }),
      aHook({ branch: 'nothing', app: '/app/none' }),
    ];
    expect(chosen(push, hooks)).toEqual([
      ['main by main'],
      ['release/9 by release/*', 'release/10 by release/*'],
      ['main by **', 'release/9 by **', 'release/10 by **', 'topic by **'],
    ]);
  });

  it('lets the pattern decide that says most, whatever the order of installation', () => {
    const hooks = [aHook({ branch: '**' }), aHook({ branch: 'release/*' }), aHook({ branch: 'release/10' })];
    const expected = ['main by **', 'release/9 by release/*', 'release/10 by release/10', 'topic by **'];
    expect(chosen(push, hooks)).toEqual([expected]);
    expect(chosen(push, hooks.toReversed())).toEqual([expected]);
  });
});

describe('of several branches for one app', () => {
  const hook = aHook({ branch: '**' });
  const of = (names: Record<string, string>) =>
    Object.entries(names).map(([branch, commitId]) => ({ hook, branch, commitId }));

  it('the one with the newest commit is deployed', () => {
    const { chosen, passedOver } = choose(of({ 'release/10': A, 'release/9': B }), B);
    expect(chosen.branch).toBe('release/9');
    expect(passedOver.map(({ branch }) => branch)).toEqual(['release/10']);
  });

  it('and among branches at one commit the one that was named outright', () => {
    const main = { hook: aHook(), branch: 'main', commitId: A };
    expect(choose([...of({ 'release/10': A }), main], A).chosen.branch).toBe('main');
  });

  it('and among branches of one pattern the name that counts highest', () => {
    expect(choose(of({ 'release/9': A, 'release/10': A, 'release/1': A, 'z-old': B }), A).chosen.branch).toBe(
      'release/10',
    );
  });
});

describe('a push to what broken settings may have been for', () => {
  const unclear = (section: string, input: string) => {
    const { broken } = hookSettings({ [`${section}.gate`]: 'strict' });
    return unclearUpdates(parseUpdates(input), broken).map(({ branch, hook }) => [branch, hook.branch, hook.app]);
  };
  const both = `${A} ${B} refs/heads/release/1\n${A} ${B} refs/heads/release/2\n`;

  it('is one to a branch that the section names', () => {
    expect(unclear('main /app/a', both)).toEqual([]);
    expect(unclear('main /app/a', `${A} ${B} refs/tags/main\n${A} ${ZERO} refs/heads/main\n`)).toEqual([]);
    expect(unclear('release/* /app/a', both)).toEqual([['release/1', 'release/*', '/app/a']]);
  });

  it('is one to any branch where the section names none', () => {
    for (const section of ['main', 'a b c', '../x /app/a']) {
      expect(unclear(section, both)).toEqual([['release/1', null, null]]);
    }
  });

  it('a gate that is not legible counts as strict, as one of a section under another name', () => {
    const gateOf = (members: Record<string, string>) => hookSettings(members).broken.map(({ gate }) => gate);
    expect(gateOf({ 'main /app/a.gate': 'maybe' })).toEqual(['strict']);
    expect(gateOf({ 'main /app/a.gate': '' })).toEqual(['strict']);
    expect(gateOf({ 'main /app/a.gate': 'lenient' })).toEqual(['lenient']);
    expect(gateOf({ 'main /app/a.url': 'x' })).toEqual([null]);
    const whole = {
      zookeeper: 'a:1',
      app: '/app/a',
      branch: 'main',
      relativepath: 'x',
      url: 'https://h/r',
      gate: 'strict',
    };
    const named = (section: string) =>
      hookSettings(Object.fromEntries(Object.entries(whole).map(([name, value]) => [`${section}.${name}`, value])));
    expect(named('main /app/a').broken).toEqual([]);
    expect(named('main /app/b')).toMatchObject({
      hooks: [],
      broken: [{ branch: 'main', app: '/app/b', gate: 'strict' }],
    });
  });
});
