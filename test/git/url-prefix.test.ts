import { describe, expect, it } from 'vitest';
import { credentialFor } from '../../git/credentials.ts';
import { isBelow } from '../../git/url-prefix.ts';
import type { RepositoryUrl } from '../../schemas/values.ts';

describe('a prefix', () => {
  it('ends at a segment, covers every port without one, and every user without one', () => {
    const below: [string, string][] = [
      ['https://h/team/r.git', 'https://h'],
      ['https://h/team/r.git', 'https://h/'],
      ['https://h/team/r.git', 'https://h/team'],
      ['https://h/team/r.git', 'https://h/team/'],
      ['https://h/team', 'https://h/team'],
      ['https://h:8443/r', 'https://h/'],
      ['ssh://git@h:2222/r', 'ssh://h/'],
      ['ssh://git@h:22/r', 'ssh://git@h/'],
      ['ssh://git@h/r', 'ssh://h:22/'],
      ['file:///srv/git/r.git', 'file:///srv/git'],
    ];
    for (const [url, prefix] of below) expect(isBelow(url, prefix), `${url} below ${prefix}`).toBe(true);
    const beside: [string, string][] = [
      ['https://h/teams/r', 'https://h/team'],
      ['https://h.evil.com/r', 'https://h'],
      ['http://h/r', 'https://h/'],
      ['https://h:8443/r', 'https://h:9443/'],
      ['https://h/r', 'https://h:8443/'],
      ['ssh://root@h/r', 'ssh://git@h/'],
      ['https://h/r', ''],
      ['nonsense', 'https://h/'],
      ['file:///srv/gitx/r', 'file:///srv/git'],
    ];
    for (const [url, prefix] of beside) expect(isBelow(url, prefix), `${url} beside ${prefix}`).toBe(false);
  });

  it('gives the credential that fits most closely', () => {
    const credentials = [
      { prefix: 'https://h/', tokenFile: '/a' },
      { prefix: 'https://h/team/', tokenFile: '/b' },
      { prefix: 'https://other/', tokenFile: '/c' },
    ];
    const of = (url: string) => credentialFor(url as RepositoryUrl, credentials)?.tokenFile;
    expect(of('https://h/team/r.git')).toBe('/b');
    expect(of('https://h/teams/r.git')).toBe('/a');
    expect(of('https://nobody/r.git')).toBe(undefined);
  });
});
