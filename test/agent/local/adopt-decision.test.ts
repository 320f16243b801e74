import { describe, expect, it } from 'vitest';
import { type AdoptWish, decideAdoption, type Found } from '../../../agent/local/adopt-decision.ts';
import type { CommitId, RelativePath } from '../../../schemas/values.ts';

const COMMIT = 'c'.repeat(40) as CommitId;
const URL = 'https://git.example.com/team/shop.git';
const wish: AdoptWish = {
  relativePath: 'web/shop' as RelativePath,
  url: null,
  allowUrls: ['https://git.example.com/team'],
};
const clone = (over: object = {}): Found => ({
  kind: 'directory',
  repository: { head: COMMIT, originUrl: URL },
  differing: [],
  asideTaken: false,
  ...over,
});
const link = (over: object = {}): Found => ({
  kind: 'link',
  leadsTo: 'releases/20240102030405',
  directory: '/srv/shop/releases/20240102030405',
  reserved: false,
  commitId: COMMIT,
  originUrl: URL,
  ...over,
});
const origin = (originUrl: string | null) => clone({ repository: { head: COMMIT, originUrl } });

describe('what may be adopted', () => {
  it('is a clean clone of an allowed url, whose commit may come from itself', () => {
    expect(decideAdoption(clone(), wish)).toEqual({
      ok: true,
      adoption: { commitId: COMMIT, url: URL, from: { kind: 'directory', isOfUrl: true } },
    });
  });

  it('takes the scp form of an origin for the url that it means', () => {
    const decided = decideAdoption(origin('git@git.example.com:team/shop.git'), {
      ...wish,
      allowUrls: ['ssh://git.example.com/team'],
    });
    const url = 'ssh://git@git.example.com/team/shop.git';
    expect(decided).toMatchObject({ ok: true, adoption: { url, from: { isOfUrl: true } } });
  });

  it.each([
    ['another repository', 'https://elsewhere.example.com/shop.git'],
    ['a path', '/srv/git/shop.git'],
    ['none', null],
  ])('believes --url where the origin is %s, and then asks that url for the commit', (_, originUrl) => {
    const decided = decideAdoption(origin(originUrl), { ...wish, url: URL });
    expect(decided).toMatchObject({ ok: true, adoption: { url: URL, from: { isOfUrl: false } } });
  });

  it('is a link of another tool to a release whose commit and url are known', () => {
    expect(decideAdoption(link(), wish)).toEqual({
      ok: true,
      adoption: {
        commitId: COMMIT,
        url: URL,
        from: { kind: 'link', leadsTo: 'releases/20240102030405', directory: '/srv/shop/releases/20240102030405' },
      },
    });
    expect(decideAdoption(link({ originUrl: null }), { ...wish, url: URL })).toMatchObject({ ok: true });
  });
});

describe('what is refused', () => {
  const rows: [string, Found, string, Partial<AdoptWish>?][] = [
    ['nothing there', { kind: 'nothing', asideTaken: false }, 'NOTHING_THERE'],
    ['our own link', { kind: 'ours', commitId: COMMIT }, 'ALREADY_OURS'],
    ['a file', { kind: 'file' }, 'OCCUPIED'],
    ['a directory without git', clone({ repository: null }), 'NOT_A_CLONE'],
    ['a clone without a commit', clone({ repository: { head: null, originUrl: URL } }), 'NO_COMMIT'],
    ['a clone without origin', origin(null), 'NO_URL'],
    ['a clone of a path', origin('/srv/git/shop.git'), 'URL'],
    ['a clone of a url that is not allowed', origin('https://elsewhere.example.com/shop.git'), 'NOT_ALLOWED'],
    ['a clone of a helper', origin('ext::sh -c id'), 'URL'],
    ['a --url that is not allowed', clone(), 'NOT_ALLOWED', { url: 'https://elsewhere.example.com/shop.git' }],
    ['a clone with other files', clone({ differing: ['cache/'] }), 'NOT_CLEAN'],
    ['a clone whose new name is taken', clone({ asideTaken: true }), 'ASIDE_TAKEN'],
    ['a link to nothing', link({ directory: null }), 'FOREIGN_LINK'],
    ['a link into our own directory', link({ reserved: true }), 'FOREIGN_LINK'],
    ['a link to what names no commit', link({ commitId: null }), 'NO_COMMIT'],
    ['a link to what names no url', link({ originUrl: null }), 'NO_URL'],
    ['a link of a url that is not allowed', link(), 'NOT_ALLOWED', { allowUrls: [] }],
  ];
  it.each(rows)('%s: with code, reason and hint', (_, found, code, over = {}) => {
    const decided = decideAdoption(found, { ...wish, ...over });
    expect(decided).toMatchObject({ ok: false, failure: { code, next: 'stall' } });
    if (decided.ok) return;
    expect(decided.failure.reason).not.toBe('');
    expect(decided.failure.hint).not.toBe('');
  });

  it('names what is not the commit, fit for a terminal', () => {
    const differing = ['a\u001b[31m', 'b', 'c', 'd', 'e', 'f', 'g'];
    const decided = decideAdoption(clone({ differing }), wish);
    expect(decided).toMatchObject({ failure: { reason: expect.stringContaining('"b", "c", "d", "e" and 2 more') } });
    expect(JSON.stringify(decided)).not.toContain('\\u001b');
  });

  it('shows no credential that somebody wrote into an origin', () => {
    const decided = decideAdoption(origin('https://ann:hunter2@git.example.com/team/shop.git'), wish);
    expect(decided).toMatchObject({ ok: false, failure: { code: 'CREDENTIALS' } });
    expect(JSON.stringify(decided)).not.toContain('hunter2');
  });

  it('says how to go on after an adoption that was cut short', () => {
    const decided = decideAdoption({ kind: 'nothing', asideTaken: true }, wish);
    expect(decided).toMatchObject({ failure: { hint: expect.stringContaining('rename it back') } });
  });
});
