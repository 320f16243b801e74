import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { probeRemote } from '../../git/host/probe-remote.ts';
import { gitFailure, mayBeDamage } from '../../git/run/errors.ts';
import { systemClock } from '../../runtime/clock.ts';
import type { CommitId, RepositoryUrl } from '../../schemas/values.ts';
import { createOrigin, type GitOrigin, temporaryDirectory } from '../support/git/origin.ts';
import { aStore, failureOf, NEVER, QUIET } from './test-store.ts';

/** Said by our own git, each of these would have us free disk, doubt the store, blame the commit or wait for a person. */
const LOCAL: [string, string][] = [
  ['fatal: write error: No space left on device', 'NO_SPACE'],
  ['fatal: bad object deadbeef: object file is corrupt', 'STORE_BROKEN'],
  ['error: object 12: badTree: fsck error in packed object', 'BAD_OBJECTS'],
  ["fatal: detected dubious ownership in repository at '/srv/r'", 'ORIGIN_OWNER'],
  ['fatal: Cannot allocate memory', 'NO_MEMORY'],
  ["fatal: Unable to create '/s/shallow.lock': File exists.", 'STORE_LOCKED'],
];

const SSH = 'ssh://git@h/shop.git';

let base: string;
let remove: () => void;
let origin: GitOrigin;
let commitId: CommitId;

beforeAll(() => {
  ({ path: base, remove } = temporaryDirectory('host-words'));
  origin = createOrigin(join(base, 'git/shop.git'));
  commitId = origin.commit({ f: '1' });
});
afterAll(() => remove());

/** A git host whose ssh writes these words, and then runs what it was asked to, here. */
async function hostThatSays(name: string, script: string) {
  const bin = join(base, name);
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(bin, 'ssh'), `#!/bin/sh\nfor last; do :; done\n${script}\nexec /bin/sh -c "$last"\n`, {
    mode: 0o755,
  });
  const path = `${bin}:${process.env['PATH']}`;
  const store = await aStore(join(base, `${name}-agent`), { allowProtocols: ['ssh'], path });
  const url = `ssh://git@h${origin.directory}` as RepositoryUrl;
  return (wanted: CommitId) => store.fetch({ url, commitId: wanted }, NEVER);
}

describe('what ssh and the git host write beside the protocol', () => {
  it.each(LOCAL)('is not taken for our own git, though nothing says where it ends: %s', (words) => {
    for (const ours of ['fatal: early EOF', 'fatal: the remote end hung up unexpectedly', 'fatal: protocol error: x']) {
      expect(gitFailure('git fetch', { stderr: ours, sshStderr: words }, 'GIT_FAILED', SSH).code).toBe('FETCH_FAILED');
    }
    const unknown = { stderr: 'fatal: something entirely new', sshStderr: `${words}\nPermission denied (publickey)` };
    expect(gitFailure('git fetch', unknown, 'GIT_FAILED', SSH).code).toBe('GIT_FAILED');
  });

  it('changes nothing for a commit that is there, and nothing in the code for one that is not', async () => {
    const words = LOCAL.map(([line]) => line.replaceAll("'", '')).join('\\n');
    const fetch = await hostThatSays('chatty', `printf '${words}\\n' >&2`);
    expect(await fetch(commitId)).toEqual({ network: true });
    const failure = await failureOf(fetch('ab'.repeat(20) as CommitId));
    expect(failure.code).toBe('COMMIT_NOT_FOUND');
  });

  it('is told as its own words, and a full disk there is none here', async () => {
    const fetch = await hostThatSays('full', "echo 'fatal: write error: No space left on device' >&2; exit 128");
    const failure = await failureOf(fetch(commitId));
    expect(failure).toMatchObject({ code: 'FETCH_FAILED', next: 'retry' });
    expect(failure.message).toBe('git fetch: ssh or the git host says: fatal: write error: No space left on device');
  });

  it('on standard output is recognised: the way to the host is right', async () => {
    const fetch = await hostThatSays('greeting', "echo 'Welcome to this server!'");
    const failure = await failureOf(fetch(commitId));
    expect(failure.code).toBe('FETCH_FAILED');
    expect(failure.hint).toContain('login script');
  });
});

describe('names that git quotes', () => {
  const NAMES = ['hasDot', 'zeroPadded', 'badTree', 'corrupt', 'inflate'];

  it.each(NAMES)('of a repository say nothing about a tree or the store: %s', (name) => {
    const url = `https://h/${name}.git`;
    const said = [
      `fatal: unable to access '${url}/': Could not resolve host: h`,
      `fatal: unable to access '${url}/': SSL: no alternative certificate subject name matches target host name 'h'`,
      `fatal: ${url}/info/refs not valid: is this a git repository?`,
      `fatal: repository '${url}/' not found`,
    ];
    const codes = said.map((stderr) => gitFailure('git fetch', { stderr }, 'FETCH_FAILED', url).code);
    expect(codes).toEqual(['FETCH_FAILED', 'TLS', 'DUMB_HTTP', 'REPOSITORY_NOT_FOUND']);
  });

  it.each(NAMES)('of a ref do not either: %s', (name) => {
    const listed = ` * [new branch]      ${name} -> refs/fallback/heads/${name}`;
    const stderr = `From ssh://h/r\n${listed}\nfatal: something entirely new`;
    expect(gitFailure('git fetch', { stderr, sshStderr: '' }, 'GIT_FAILED', SSH).code).toBe('GIT_FAILED');
  });

  it('in a certificate or an answer of a web server choose no code of this machine', () => {
    for (const [words] of LOCAL) {
      const stderr = `fatal: unable to access 'https://h/r/': SSL: certificate subject name (${words}) does not match`;
      expect(gitFailure('git fetch', { stderr }, 'GIT_FAILED', 'https://h/r').code).toBe('TLS');
      const failed = `error: RPC failed; HTTP 500 curl 22 ${words}\nfatal: early EOF`;
      expect(gitFailure('git fetch', { stderr: failed }, 'GIT_FAILED', 'https://h/r').code).toBe('FETCH_FAILED');
    }
  });

  it('leave our own words as they count', () => {
    for (const [stderr, code] of LOCAL) expect(gitFailure('git fetch', { stderr, sshStderr: '' }).code).toBe(code);
  });

  it.each([
    '',
    'fatal: reference is not a tree: deadbeef\n',
    'error: index file x.idx is too small\nfatal: it failed\n',
  ])('are nothing that another machine said where our git alone spoke: %j', (stderr) => {
    for (const url of ['', 'file:///r', SSH, 'https://h/r']) {
      const failure = gitFailure('git checkout', { stderr }, 'GIT_FAILED', url);
      expect(failure.code).toBe('GIT_FAILED');
      expect(mayBeDamage(failure)).toBe(true);
    }
  });
});

describe('the reason', () => {
  it('of a changed host key names host, fingerprint, file and line', () => {
    const sshStderr = [
      '@'.repeat(59),
      '@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @',
      '@'.repeat(59),
      'IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!',
      'Someone could be eavesdropping on you right now (man-in-the-middle attack)!',
      'It is also possible that a host key has just been changed.',
      'The fingerprint for the ED25519 key sent by the remote host is',
      'SHA256:cScEnRYYKxGGkxyF2kNAsDpB7NiWEkMWRO1PBo2N1ZI.',
      'Please contact your system administrator.',
      'Add correct host key in /etc/gitfleet/known_hosts to get rid of this message.',
      'Offending ED25519 key in /etc/gitfleet/known_hosts:3',
      '  remove with:',
      '  ssh-keygen -f "/etc/gitfleet/known_hosts" -R "git.example.com"',
      'Host key for git.example.com has changed and you have requested strict checking.',
      'Host key verification failed.',
    ].join('\n');
    const stderr =
      'fatal: Could not read from remote repository.\n\nPlease make sure you have the correct access rights\n';
    for (const words of [{ stderr, sshStderr }, { stderr: `${sshStderr}\n${stderr}` }]) {
      const failure = gitFailure('git fetch', words, 'GIT_FAILED', SSH);
      expect(failure.code).toBe('HOST_KEY');
      for (const part of [
        'ED25519 key sent by',
        'git.example.com',
        'SHA256:cScEnRYYKxGG',
        '/etc/gitfleet/known_hosts:3',
      ])
        expect(failure.message).toContain(part);
      expect(failure.message).not.toMatch(/@@|NASTY|ssh-keygen/);
    }
  });

  it('keeps what ssh says itself', () => {
    const end = 'fatal: Could not read from remote repository.';
    const of = (sshStderr: string) => gitFailure('git fetch', { stderr: end, sshStderr }, 'GIT_FAILED', SSH);
    expect(of('No user exists for uid 4711')).toMatchObject({
      message: 'git fetch: ssh or the git host says: No user exists for uid 4711',
      hint: expect.stringContaining('/etc/passwd'),
    });
    const key = of('Load key "/k": error in libcrypto\ngit@h: Permission denied (publickey).');
    expect(key.code).toBe('AUTH');
    expect(key.message).toContain('Load key "/k": error in libcrypto | git@h: Permission denied (publickey).');
  });
});

describe('a web page at the url of a repository', () => {
  it('is no repository for doctor either, though git finds nothing wrong', async () => {
    const server = createServer((_, response) => response.end('<html>Log in</html>'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/shop.git` as RepositoryUrl;
    const sandbox = { clock: systemClock, log: QUIET };
    const failure = await failureOf(probeRemote(sandbox, url, undefined, ['http'], 20_000));
    expect(failure).toMatchObject({ code: 'DUMB_HTTP', hint: expect.stringContaining('login') });
    server.closeAllConnections();
    server.close();
  });
});

describe('a git host that is busy', () => {
  it.each(['429', '503'])('is known by its answer %s', (status) => {
    const stderr = `fatal: unable to access 'https://h/r/': The requested URL returned error: ${status}`;
    expect(gitFailure('git fetch', { stderr }, 'GIT_FAILED', 'https://h/r')).toMatchObject({
      code: 'ORIGIN_BUSY',
      next: 'retry',
    });
  });
});
