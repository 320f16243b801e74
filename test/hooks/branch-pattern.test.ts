import { describe, expect, it } from 'vitest';
import { compareStrictness, isBranchPattern, isOddMatch, matchesBranch } from '../../hooks/branch-pattern.ts';

describe('branch patterns', () => {
  it.each(['main', 'release/2', 'release/*', '**', 'team-*/v*', 'a.b', 'fix#12', 'v1+rc', 'a@b'])(
    '%s is one',
    (text) => {
      expect(isBranchPattern(text)).toBe(true);
    },
  );

  it.each([
    '',
    '-x',
    '--force',
    '/main',
    'main/',
    'a//b',
    'a..b',
    'a/.b',
    'a.lock',
    'a.lock/b',
    'a.',
    'refs/heads/main',
    'a b',
    'a\nb',
    '$(id)',
    '`id`',
    "a'b",
    'a"b',
    'a\\b',
    'a:b',
    'a?b',
    'a[b]',
    'a~1',
    'a^',
    '***',
    '*a*b*c*d*e',
    'x'.repeat(202),
  ])('%j is none', (text) => {
    expect(isBranchPattern(text)).toBe(false);
  });

  it.each([
    ['main', 'main', true],
    ['main', 'mainly', false],
    ['release/*', 'release/7', true],
    ['release/*', 'release/7/fix', false],
    ['release/**', 'release/7/fix', true],
    ['release/*', 'prerelease/7', false],
    ['*', 'größe', true],
    ['*', 'a/b', false],
    ['**', 'a/b', true],
    ['v1.2', 'v1x2', false],
    ['v1.*', 'v1x2', false],
    ['a+*', 'aa', false],
    ['release/*', 'release/100%', true],
    ['release/*', 'release/gro\u0308\u00dfe', true], // As a Mac writes its accents.
    // A pattern takes only names that nothing can mistake for something else.
    ['**', '$(id)', false],
    ['**', '-rf', false],
    ['**', 'a;b', false],
    ['**', 'a\u202eb', false],
    ['**', `a${'b'.repeat(300)}`, false],
  ])('%s takes %s: %s', (pattern, branch, expected) => {
    expect(matchesBranch(pattern, branch)).toBe(expected);
  });

  it.each([
    ['release/*', 'release/$5', true],
    ['release/*', 'release/a\u00a0b', true],
    ['release/*', `release/${'x'.repeat(4_000)}`, true],
    ['release/*', `other/${'x'.repeat(4_000)}`, false],
    ['release/*', 'topic/$5', false],
    ['release/*', 'release/7', false],
    ['main', 'main$', false],
  ])('%s means %s, and does not take it for its name alone: %s', (pattern, branch, expected) => {
    expect(isOddMatch(pattern, branch)).toBe(expected);
  });

  it('are ordered by how much they say outright', () => {
    const patterns = ['**', 'release/**', '*', 'release/7', 'release/*', 'r*'];
    expect(patterns.sort(compareStrictness)).toEqual(['release/7', 'release/*', 'r*', '*', 'release/**', '**']);
  });

  it('are matched in time that no branch name can stretch', () => {
    expect(matchesBranch('a*a*a*a*', `${'a'.repeat(199)}`)).toBe(true);
    expect(matchesBranch('a*a*a*a*b', 'a'.repeat(200))).toBe(false);
  });
});
