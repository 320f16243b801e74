import { describe, expect, it } from 'vitest';
import type { Refused } from '../../schemas/refusal.ts';
import { parseReleaseFile } from '../../schemas/settings/release-file.ts';
import { combineSteps, type ReleaseSteps, stepMembers } from '../../schemas/steps.ts';

const steps = (text: string): ReleaseSteps => {
  const parsed = parseReleaseFile(text);
  if (!parsed.ok) throw new Error((parsed as Refused).failure.reason);
  return parsed.steps;
};

describe('gitfleet.yml', () => {
  it.each(['', '# nothing\n', '{}', '---\n'])('may say nothing: %j', (text) => {
    expect(steps(text)).toEqual({ shared: [], generated: [] });
  });

  it('says every member that settings say', () => {
    const step = '{ command: [make, "it"], timeout: 3s }';
    const text = [
      ...['prepare', 'preActivate', 'activate', 'onRollback', 'onFailure'].map((name) => `${name}: ${step}`),
      'health: { checks: [{ http: "http://127.0.0.1:80/up", status: [204] }, { tcp: "[::1]:80" }, { unit: a@b.service }] }',
      'shared: [uploads, var/log]',
      'generated: [node_modules/]',
    ].join('\n');
    const said = steps(text);
    expect(Object.keys(said).toSorted()).toEqual(Object.keys(stepMembers()).toSorted());
    expect(said.prepare).toEqual({ command: ['make', 'it'], timeout: 3_000 });
    expect(said.health).toMatchObject({
      interval: 1_000,
      rise: 2,
      healthyFor: 5_000,
      fall: 3,
      start: 10_000,
      deadline: 120_000,
    });
  });

  it('may hold a script of several lines, and patterns with wildcards beside a name', () => {
    const text = 'activate:\n  command:\n    - sh\n    - -c\n    - |\n      set -e\n      \techo done\n';
    expect(steps(text).activate?.command[2]).toBe('set -e\n\techo done\n');
    const patterns = ['node_modules/', '*.pyc', '/var/cache/**', '[Bb]uild', '.next', 'é/'];
    expect(steps(`generated: ${JSON.stringify(patterns)}`).generated).toEqual(patterns);
  });

  const rows: [string, string, RegExp][] = [
    ['an unknown member', 'prepair: x', /unknown member "prepair": did you mean prepare\?/],
    ['an unknown member inside', 'prepare: { comand: [x] }', /unknown member "prepare.comand": did you mean command\?/],
    ['a shell line', 'prepare: npm ci', /prepare: /],
    ['an empty command', 'activate: { command: [] }', /activate.command: must name at least a program/],
    ['an empty word', 'activate: { command: [a, ""] }', /activate.command.1: is empty/],
    ['a NUL byte in a command', 'activate: { command: [a, "b\\0c"] }', /activate.command.1: has a control character/],
    ['one in a check', 'health: { checks: [{ command: ["a\\0"] }] }', /command.0: has a control character/],
    ['an escape sequence in a command', 'activate: { command: ["\\e[2J"] }', /has a control character/],
    [
      'a control character in a url',
      'health: { checks: [{ http: "http://host/\\0" }] }',
      /must be http:\/\/host:port\/path/,
    ],
    ['everything as generated', 'generated: ["*"]', /generated.0: must be patterns with a name in them/],
    ['everything, in other words', 'generated: ["**/*"]', /must be patterns with a name/],
    ['everything, by its letters', 'generated: ["[!.]*"]', /must be patterns with a name/],
    ['everything with a dot', 'generated: ["*.*"]', /must be patterns with a name/],
    ['the release itself as generated', 'generated: [/]', /must be patterns with a name/],
    ['the same, spelled out', 'generated: [./]', /must be patterns with a name/],
    ['what lies beside the release', 'generated: [../other]', /must be patterns with a name/],
    ['what is not generated', 'generated: ["!x"]', /generated.0: must name what is made/],
    ['two patterns in one', 'generated: ["a\\nb"]', /generated.0: has a control character/],
    ['a number for a word', 'activate: { command: [sleep, 5] }', /activate.command.1: must be text/],
    ['a timeout without a unit', 'activate: { command: [a], timeout: 5 }', /must be a duration such as 10s/],
    ['a check of nothing', 'health: { checks: [{}] }', /must have exactly one of http, tcp, command and unit/],
    ['a check of two things', 'health: { checks: [{ tcp: "a:1", unit: a }] }', /must have exactly one of/],
    ['no check', 'health: { checks: [] }', /must have at least one check/],
    ['a status of no http', 'health: { checks: [{ tcp: "a:1", status: [200] }] }', /has a status without http/],
    ['a secret in a url', 'health: { checks: [{ http: "http://me:word@host/" }] }', /must be http:\/\/host:port\/path/],
    ['another protocol', 'health: { checks: [{ http: "file:///etc/passwd" }] }', /must be http:\/\/host:port\/path/],
    ['a port that is none', 'health: { checks: [{ tcp: "a:70000" }] }', /must be a port up to 65535/],
    ['a unit that is an option', 'health: { checks: [{ unit: "--all" }] }', /must be a unit such as shop.service/],
    ['a deadline before it can be healthy', 'health: { checks: [{ unit: a }], healthyFor: 1h }', /must be a deadline/],
    ['a shared path out of the release', 'shared: [../etc]', /shared: must be plain paths inside the release/],
    ['an absolute one', 'shared: [/etc]', /must be plain paths/],
    ['one of git', 'shared: [.git]', /must be plain paths/],
    ['this file itself', 'shared: [gitfleet.yml]', /cannot share gitfleet.yml/],
    ['one inside another', 'shared: [a, a/b]', /a holds another one/],
    ['one twice', 'shared: [a, a]', /names one path twice/],
    ['settings of the server', 'root: /', /unknown member "root"/],
    ['a list', '- a', /gitfleet.yml/],
    ['no YAML', 'a: b: c', /line 1/],
    ['a member twice', 'shared: [a]\nshared: [b]', /line 2/],
    ['an alias', 'shared: &a [x]\ngenerated: *a', /aliases/],
    ['a tag', 'prepare: !!js/function x', /gitfleet.yml/],
    ['a large file', `# ${'x'.repeat(300_000)}`, /larger than/],
  ];
  it.each(rows)('refuses %s', (_, text, reason) => {
    const parsed = parseReleaseFile(text);
    expect(parsed.ok).toBe(false);
    const { failure } = parsed as Refused;
    expect(failure).toMatchObject({ code: 'RELEASE_FILE', next: 'stall' });
    expect(failure.reason).toMatch(reason);
    expect(failure.reason).toMatch(/^gitfleet\.yml|^"gitfleet\.yml"/);
    expect(failure.reason).not.toContain('word');
  });
});

describe('what a server does with a release', () => {
  it('is its own word before the commit, member by member, and lists of both', () => {
    const own = steps('activate: { command: [mine] }\nshared: [a]');
    const committed = steps('activate: { command: [theirs] }\nprepare: { command: [theirs] }\nshared: [a, b]');
    expect(combineSteps(own, committed)).toMatchObject({
      activate: { command: ['mine'] },
      prepare: { command: ['theirs'] },
      shared: ['a', 'b'],
    });
    expect(combineSteps(own, null)).toBe(own);
  });

  it('holds nothing of the settings but steps', () => {
    const settings = { ...steps(''), root: '/srv', allowRepositorySteps: true };
    expect(combineSteps(settings, steps(''))).toEqual({ shared: [], generated: [] });
  });
});
