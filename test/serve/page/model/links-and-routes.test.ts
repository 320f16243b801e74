import { describe, expect, it } from 'vitest';
import { commitLink, compareLink } from '../../../../serve/page/model/forge-links.ts';
import { addressOf, parseRoute } from '../../../../serve/page/model/routes.ts';

const A = 'a'.repeat(40);
const B = 'b'.repeat(40);
const OWN = [
  { prefix: 'https://git.example.com/', commit: 'https://git.example.com/{path}/commit/{commit}', compare: null },
  { prefix: 'https://bad.example.com/', commit: 'javascript:alert(1)//{path}{commit}', compare: null },
];

describe('the link of a commit', () => {
  it.each([
    ['https://github.com/o/r.git', `https://github.com/o/r/commit/${A}`],
    ['https://github.com/o/r', `https://github.com/o/r/commit/${A}`],
    ['ssh://git@github.com/o/r.git', `https://github.com/o/r/commit/${A}`],
    ['git@github.com:o/r.git', `https://github.com/o/r/commit/${A}`],
    ['https://gitlab.com/g/sub/r.git', `https://gitlab.com/g/sub/r/-/commit/${A}`],
    ['https://codeberg.org/o/r.git', `https://codeberg.org/o/r/commit/${A}`],
    ['https://bitbucket.org/o/r.git', `https://bitbucket.org/o/r/commits/${A}`],
    ['https://git.example.com/o/r.git', `https://git.example.com/o/r/commit/${A}`],
    ['ssh://git@git.example.com:2222/o/r.git', `https://git.example.com/o/r/commit/${A}`],
  ])('%s', (url, link) => {
    expect(commitLink(url, A, OWN)).toBe(link);
  });

  it.each([
    ['a forge that nobody named', 'https://elsewhere.example/o/r.git', A],
    ['a host that only begins like one', 'https://github.com.evil.example/o/r.git', A],
    ['a path that climbs', 'https://github.com/o/../../evil.git', A],
    ['a path with more than names in it', 'https://github.com/o/r?x=<img src=x>', A],
    ['a link that runs code', 'https://bad.example.com/o/r', A],
    ['a local repository', 'file:///srv/git/shop.git', A],
    ['something that is no commit', 'https://github.com/o/r.git', 'HEAD'],
    ['a commit with a path in it', 'https://github.com/o/r.git', `${'a'.repeat(38)}/.`],
  ])('is not made for %s', (_what, url, commitId) => {
    expect(commitLink(url, commitId, OWN)).toBeNull();
  });

  it('shows what changed between two commits', () => {
    expect(compareLink('https://github.com/o/r.git', A, B, [])).toBe(`https://github.com/o/r/compare/${A}...${B}`);
    expect(compareLink('https://github.com/o/r.git', A, A, [])).toBeNull();
    expect(compareLink('https://git.example.com/o/r.git', A, B, OWN)).toBeNull();
  });
});

describe('an address of the page', () => {
  it.each(['web-1', 'a/b', '..', '<img onerror=x>', 'ä\u202e%2f#', '%'])('leads to the server %s and back', (id) => {
    expect(parseRoute(addressOf('servers', id))).toEqual({ view: 'servers', server: id });
  });

  it.each([
    ['', 'servers'],
    ['#/rollout', 'rollout'],
    ['#/rollout/web-1', 'rollout'],
    ['#/nothing', 'servers'],
    ['#/servers/%E0%A4%A', 'servers'],
    ['#main', 'servers'],
  ])('%s leads to the view %s', (hash, view) => {
    expect(parseRoute(hash)).toEqual({ view, server: null });
  });
});
