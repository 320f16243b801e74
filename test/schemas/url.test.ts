import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ANY_URL, credentialFor, matchesPrefix, parsePrefix, parseUrl } from '../../schemas/url.ts';
import { SEED } from '../support/seeded.ts';

/** The url as accepted, or the code of its refusal. */
function judge(text: string, ...allow: string[]): string {
  const parsed = parseUrl(text, { allow });
  return parsed.ok ? parsed.url : parsed.failure.code;
}

describe('parseUrl', () => {
  it('takes file, http and git only below a listed prefix', () => {
    expect(judge('file:///srv/git/shop.git', 'file:///srv/git')).toBe('file:///srv/git/shop.git');
    expect(judge('file:///srv/git2/shop.git', 'file:///srv/git')).toBe('URL');
    expect(judge('file:///srv/git/shop.git', 'https://h')).toBe('URL');
    expect(judge('http://h:8080/r', 'http://h')).toBe('http://h:8080/r');
    expect(judge('http://h/r', 'https://h')).toBe('SCHEME');
    expect(judge('git://h/r', 'git://h/r')).toBe('git://h/r');
  });

  it.each(["https://h/o'neil/shop.git", 'ssh://git@h/srv/shop_(1).git', 'file:///srv/(old)/r'])(
    'takes %s: quotes and parentheses stand in the names of repositories',
    (text) => {
      expect(judge(text, 'https://h/', 'ssh://h/', 'file:///')).toBe(text);
    },
  );

  it.each([
    'file://srv/x',
    'file:////srv/x',
    'file:///srv/../x',
    'file:///srv//x',
    'file:///',
    'file://localhost/srv/x',
  ])('refuses %s even below a prefix that covers every file', (text) => expect(judge(text, 'file:///')).toBe('URL'));

  it('allows nothing by an empty list, everything legal by ANY_URL', () => {
    expect(judge('https://h/r')).toBe('NOT_ALLOWED');
    for (const text of ['https://h/r', 'http://localhost/r', 'git://h/r', 'file:///srv/r', 'ssh://git@[::1]:2222/r']) {
      expect(parseUrl(text, ANY_URL)).toEqual({ ok: true, url: text });
    }
    expect(parseUrl('https://u:p@h/r', ANY_URL)).toMatchObject({ failure: { code: 'CREDENTIALS' } });
    expect(parseUrl('ext::sh -c id', ANY_URL)).toMatchObject({ failure: { code: 'URL' } });
  });

  it('rewrites the scp form, and only that', () => {
    expect(judge('git@h:/srv/r.git', 'ssh://h')).toBe('ssh://git@h/srv/r.git');
    expect(judge('deploy_1@h.example.com:t/r', 'ssh://h.example.com')).toBe('ssh://deploy_1@h.example.com/t/r');
    expect(judge('git@h:', 'ssh://h')).toBe('URL');
    expect(judge('git@h://x', 'ssh://h')).toBe('URL');
    expect(judge('git@h:a//b', 'ssh://h')).toBe('URL');
    expect(judge('git@[::1]:r', 'ssh://h')).toBe('URL');
  });

  it('needs a repository behind the host', () => {
    expect(judge('https://h', 'https://h')).toBe('URL');
    expect(judge('https://h/', 'https://h')).toBe('URL');
  });

  it('takes percent codes only of what needs one', () => {
    expect(judge('https://h/my%20project/r', 'https://h')).toBe('https://h/my%20project/r');
    for (const code of ['%41', '%7a', '%30', '%2D', '%5f', '%7E', '%5C', '%1f', '%7f', '%zz', '%4']) {
      expect(judge(`https://h/a${code}`, 'https://h')).toBe('URL');
    }
  });

  it('judges a host before the list, and a listed host is legal', () => {
    expect(judge('https://127.0.0.1/r', 'https://h')).toBe('HOST');
    expect(judge('https://127.0.0.1:8443/r', 'https://127.0.0.1')).toBe('https://127.0.0.1:8443/r');
    expect(judge('https://127.example.com/r', 'https://127.example.com')).toBe('https://127.example.com/r');
  });

  it(`gives back what it takes, in any spelling but scp's (seed ${SEED})`, () => {
    const text = fc.oneof(
      fc.webUrl({ withFragments: true, withQueryParameters: true }),
      fc.string(),
      fc.stringMatching(/^(https|ssh|file|git):\/\/[a-z0-9@:.[\]%-]{0,20}\/[A-Za-z0-9./%~_-]{0,30}$/),
    );
    const holds = (value: string) => {
      const parsed = parseUrl(value, ANY_URL);
      if (!parsed.ok) return;
      if (!value.includes('://')) return;
      expect(parsed.url).toBe(value);
      expect(new URL(value).href).toBe(value);
    };
    fc.assert(fc.property(text, holds), { seed: SEED, numRuns: 5_000 });
  });
});

describe('a listed prefix', () => {
  it.each([
    ['https://h/a', 'https://h/a', true],
    ['https://h/a', 'https://h/a/b.git', true],
    ['https://h/a/', 'https://h/a/b.git', true],
    ['https://h/a/', 'https://h/a', true],
    ['https://h/a', 'https://h/ab', false],
    ['https://h/a', 'https://h/a.git', false],
    ['https://h', 'https://h/x', true],
    ['https://h', 'https://h:8443/x', true],
    ['https://h:8443', 'https://h/x', false],
    ['https://h:8443', 'https://h:8443/x', true],
    ['https://h', 'https://h.evil.com/x', false],
    ['https://h', 'http://h/x', false],
    ['ssh://h', 'ssh://git@h:22/x', true],
    ['ssh://h:22', 'ssh://git@h/x', true],
    ['ssh://git@h', 'ssh://root@h/x', false],
    ['git@h:t', 'ssh://git@h/t/r.git', true],
    ['file:///srv/git', 'file:///srv/git/shop.git', true],
    ['file:///srv/git', 'file:///srv/gitx', false],
    ['file:///', 'file:///srv/git', true],
    ['', 'https://h/x', false],
    ['https://', 'https://h/x', false],
    ['https://h/*', 'https://h/x', false],
  ])('%s, asked for %s: %s', (prefix, url, expected) => {
    expect(matchesPrefix(url, prefix)).toBe(expected);
  });

  it.each(['https://h', 'https://h/', 'https://h/a/', 'file:///', 'file:///srv', 'git://h', 'http://127.0.0.1:8080'])(
    '%s is one',
    (text) => expect(parsePrefix(text)).toEqual({ ok: true, prefix: text }),
  );

  it.each([
    '',
    '*',
    'h',
    'https://',
    'https://*.h',
    'https://h/*',
    'h/a',
    'https://u:p@h',
    'ftp://h',
    'https://H',
    'file:',
  ])('%j is none, with a reason', (text) => {
    const parsed = parsePrefix(text);
    expect(parsed.ok).toBe(false);
    expect(!parsed.ok && parsed.failure.reason).toMatch(/^url: ./);
  });
});

describe('credentialFor', () => {
  const credentials = [
    { prefix: 'https://h', tokenFile: '/t/host' },
    { prefix: 'https://h/team', tokenFile: '/t/team' },
    { prefix: 'ssh://h', sshKeyFile: '/k' },
  ];

  it('takes the longest matching prefix', () => {
    expect(credentialFor(credentials, 'https://h/team/r')?.tokenFile).toBe('/t/team');
    expect(credentialFor(credentials, 'https://h/teams/r')?.tokenFile).toBe('/t/host');
    expect(credentialFor(credentials, 'ssh://git@h/r')?.sshKeyFile).toBe('/k');
    expect(credentialFor(credentials, 'https://h.evil.com/r')).toBeUndefined();
  });
});
