import { describe, expect, it } from 'vitest';
import { type Asked, type GuardRules, judgeRequest } from '../../../serve/http/guard.ts';

const RULES: GuardRules = {
  hosts: new Set(['deploy.example.com']),
  origins: new Set(['https://deploy.example.com']),
  userHeader: 'x-forwarded-user',
  hasToken: true,
};
const OPEN: GuardRules = { ...RULES, userHeader: null, hasToken: false };

const asked = (
  url: string,
  headers: readonly string[] = ['Host', 'localhost:9181'],
  over: Partial<Asked> = {},
): Asked => ({
  ...{ via: 'tcp', method: 'GET', url, rawHeaders: headers },
  ...over,
});
const judge = (request: Asked, rules = RULES) => {
  const judged = judgeRequest(request, rules);
  return judged.kind === 'refused' ? judged.refusal.status : judged.needs;
};

describe('the name that is asked', () => {
  it.each([
    ['localhost', 'token'],
    ['localhost:9181', 'token'],
    ['127.0.0.1:9181', 'token'],
    ['[::1]:9181', 'token'],
    ['10.0.0.5', 'token'],
    ['deploy.example.com', 'token'],
    ['DEPLOY.example.com:443', 'token'],
    ['evil.example.com', 421],
    ['deploy.example.com.evil.org', 421],
    ['evil.org:deploy.example.com', 421],
    ['127.0.0.1.evil.org', 421],
    ['localhost.evil.org', 421],
    ['localhost:9181:9181', 421],
    ['localhost@evil.org', 421],
    ['', 421],
  ])('%j: %s', (host, status) => {
    expect(judge(asked('/api/v1/status', ['Host', host]))).toBe(status);
    // The files of the page as well: a page at a foreign name would be of another origin that we vouch for.
    expect(judge(asked('/', ['Host', host]))).toBe(status === 421 ? 421 : 'nothing');
  });

  it('is required, and given once', () => {
    expect(judge(asked('/api/v1/status', []))).toBe(421);
    expect(judge(asked('/api/v1/status', ['Host', 'localhost', 'host', 'evil.org']))).toBe(400);
  });
});

describe('the page that asks', () => {
  it.each([
    [['Origin', 'http://localhost:9181'], 'token'],
    [['Origin', 'https://deploy.example.com'], 'token'],
    [['Origin', 'https://evil.org'], 403],
    [['Origin', 'http://localhost:8080'], 403],
    [['Origin', 'https://deploy.example.com.evil.org'], 403],
    [['Origin', 'null'], 403],
    [['Origin', ''], 403],
    [['Sec-Fetch-Site', 'same-origin'], 'token'],
    [['Sec-Fetch-Site', 'none'], 'token'],
    [['Sec-Fetch-Site', 'same-site'], 403],
    [['Sec-Fetch-Site', 'cross-site'], 403],
  ])('%j: %s', (headers, status) => {
    expect(judge(asked('/api/v1/status', ['Host', 'localhost:9181', ...headers]))).toBe(status);
  });

  it('may be a link in a chat, to the page itself', () => {
    expect(judge(asked('/', ['Host', 'localhost:9181', 'Sec-Fetch-Site', 'cross-site']))).toBe('nothing');
  });
});

describe('the path', () => {
  it.each([
    '/api/v1/../../etc/passwd',
    '/..%2f..%2fetc/passwd',
    '/%2e%2e/secret',
    '//evil.org/api/v1/status',
    '/api//v1/status',
    '/api/v1/status/',
    '/api/v1/./status',
    '/api\\v1\\status',
    '/api/v1/agents/%00',
    '/api/v1/agents/a%2fb',
    'http://evil.org/api/v1/status',
    '*',
    '',
    `/${'a'.repeat(600)}`,
    '/api/v1/agents/\u202eevil',
  ])('%j is refused', (url) => {
    expect(judge(asked(url), OPEN)).toBe(404);
  });

  it.each(['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'CONNECT'])('nothing is done by %s', (method) => {
    expect(judge(asked('/api/v1/status', undefined, { method }), OPEN)).toBe(405);
  });

  it.each([
    ['/', 'nothing'],
    ['/page.js', 'nothing'],
    ['/healthz', 'nothing'],
    ['/metrics', 'token'],
    ['/api/v1/status', 'token'],
    ['/api/v1/status?a=/../b', 'token'],
    ['/api/v1/agents/web-1.example.com', 'token'],
    ['/api', 'token'],
    ['/apiary', 'nothing'],
  ])('%s needs %s', (url, needs) => {
    expect(judge(asked(url))).toBe(needs);
    expect(judge(asked(url), OPEN)).toBe('nothing');
  });
});

describe('the user that a proxy names', () => {
  const named = (name: string) => ['Host', 'localhost', 'X-Forwarded-User', name];
  it('counts on the unix socket, and nowhere else', () => {
    expect(judge(asked('/api/v1/status', named('ann'), { via: 'socket' }))).toBe('nothing');
    expect(judge(asked('/api/v1/status', named('ann')))).toBe('token');
    expect(judge(asked('/api/v1/status', named('ann'), { via: 'socket' }), { ...RULES, userHeader: null })).toBe(
      'token',
    );
  });

  it.each([[''], ['  '], ['x'.repeat(201)], ['ann\u0000']])('%j is no user', (name) => {
    expect(judge(asked('/api/v1/status', named(name), { via: 'socket' }))).toBe('token');
  });

  it('is named once', () => {
    const doubled = [...named('ann'), 'x-forwarded-user', 'root'];
    expect(judge(asked('/api/v1/status', doubled, { via: 'socket' }))).toBe(400);
  });

  it('cannot be replaced by a token that is given twice', () => {
    const headers = ['Host', 'localhost', 'Authorization', 'Bearer a', 'authorization', 'Bearer b'];
    expect(judge(asked('/api/v1/status', headers))).toBe(400);
  });
});
