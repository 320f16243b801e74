import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { fetchRetryMs } from '../../../agent/retry.ts';
import { fetcher } from '../../../git/repository/fetch-command.ts';
import type { FetchLimits } from '../../../git/run/deadline.ts';
import { FETCH_LIMITS, readProgress, watchProgress } from '../../../git/run/deadline.ts';
import { gitFailure } from '../../../git/run/errors.ts';
import type { Store } from '../../../git/store.ts';
import { systemClock, systemRandom } from '../../../runtime/clock.ts';
import type { Code } from '../../../runtime/codes.ts';
import { FleetError } from '../../../runtime/errors.ts';
import type { CommitId, RepositoryUrl } from '../../../schemas/values.ts';
import { type GitDaemon, startGitDaemon } from '../../support/git/daemon.ts';
import { type HttpsOrigin, startHttpsOrigin } from '../../support/git/https-origin.ts';
import { createOrigin, type GitOrigin, temporaryDirectory } from '../../support/git/origin.ts';
import { startTcpProxy, type TcpProxy } from '../tcp-proxy.ts';
import { aStore, failureOf, NEVER } from '../test-store.ts';

let base: string;
let remove: () => void;
let origin: GitOrigin;
let commitId: CommitId;

beforeAll(() => {
  ({ path: base, remove } = temporaryDirectory('fetch'));
  origin = createOrigin(join(base, 'git/r.git'));
  const files = Object.fromEntries(Array.from({ length: 20 }, (_, at) => [`f${at}`, randomBytes(40_000)]));
  commitId = origin.commit(files);
});
afterAll(() => remove());

/** Anything of a killed fetch that would stay, and the children of ours that still run. */
function leftovers(store: Store): string[] {
  const names = readdirSync(store.directory, { recursive: true, encoding: 'utf8' });
  const running = readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && isFetchOf(pid, store.directory));
  return [...names.filter((name) => /\.lock$|tmp_|\.keep$/.test(name)), ...running];
}

function isFetchOf(pid: string, directory: string): boolean {
  try {
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    return (
      readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`GITFLEET_STORE=${directory}\0`) &&
      !command.includes('cat-file')
    );
  } catch {
    return false;
  }
}

describe('a fetch through a bad network', () => {
  const limits: Partial<FetchLimits> = { silentMs: 1_500, totalMs: 20_000 };
  let daemon: GitDaemon;
  let http: HttpsOrigin;
  let proxy: TcpProxy;
  let store: Store;
  let round = 0;

  beforeEach(async () => {
    daemon = await startGitDaemon(join(base, 'git'));
    http = await startHttpsOrigin(join(base, 'git'));
    store = await aStore(join(base, `agent-${round++}`), { allowProtocols: ['git', 'http'], limits });
  });
  afterEach(() => Promise.all([daemon.stop(), http.stop(), proxy.stop()]));

  const both = async (check: (url: RepositoryUrl) => Promise<void>) => {
    for (const [scheme, port] of [
      ['git', daemon.port],
      ['http', http.port],
    ] as const) {
      proxy = await startTcpProxy(port);
      await check(`${scheme}://127.0.0.1:${proxy.port}/r.git` as RepositoryUrl);
      proxy.weather = { kind: 'fair' };
      expect(leftovers(store)).toEqual([]);
      // The same store again, with patience: a busy machine is no bad network.
      const patient = await aStore(join(base, `agent-${round - 1}`), { allowProtocols: ['git', 'http'] });
      await patient.fetch({ url: `${scheme}://127.0.0.1:${proxy.port}/r.git` as RepositoryUrl, commitId }, NEVER);
      patient.close();
      store = await aStore(join(base, `agent-${round++}`), { allowProtocols: ['git', 'http'], limits });
      await proxy.stop();
    }
  };

  it('ends a silent server, leaves nothing behind, and works when the server does', async () => {
    await both(async (url) => {
      proxy.weather = { kind: 'silent' };
      const failure = await failureOf(store.fetch({ url, commitId }, NEVER));
      expect(failure).toMatchObject({ code: 'FETCH_FAILED', next: 'retry' });
      expect(failure.message).toContain('no progress for 1500 ms');
    });
  });

  it('ends a dripping server: repeating the meter is no progress', async () => {
    await both(async (url) => {
      proxy.weather = { kind: 'drip', after: 4_000, bytes: 20, everyMs: 50 };
      const failure = await failureOf(store.fetch({ url, commitId }, NEVER));
      expect(failure).toMatchObject({ code: 'FETCH_FAILED', next: 'retry' });
      expect(failure.message).toContain('no progress');
    });
  });

  it('survives a connection that is cut anywhere', async () => {
    await both(async (url) => {
      for (const after of [0, 100, 5_000, 200_000]) {
        proxy.weather = { kind: 'cut', after };
        expect(await failureOf(store.fetch({ url, commitId }, NEVER)), String(after)).toMatchObject({
          code: 'FETCH_FAILED',
          next: 'retry',
        });
      }
    });
  });

  it('stops at once when it is no longer wanted', async () => {
    await both(async (url) => {
      proxy.weather = { kind: 'silent' };
      const controller = new AbortController();
      const fetching = store.fetch({ url, commitId }, controller.signal);
      const timer = setTimeout(() => controller.abort(new DOMException('newer target', 'AbortError')), 300);
      await expect(fetching).rejects.toThrow('newer target');
      clearTimeout(timer);
    });
  });

  it('refuses what is larger than the limit, while it comes', async () => {
    proxy = await startTcpProxy(daemon.port);
    const small = await aStore(join(base, `agent-${round++}`), {
      allowProtocols: ['git'],
      limits: { maxBytes: 100_000 },
    });
    const failure = await failureOf(small.fetch({ url: daemon.url('r.git') as RepositoryUrl, commitId }, NEVER));
    expect(failure).toMatchObject({ code: 'TOO_LARGE', next: 'stall' });
    expect(leftovers(small)).toEqual([]);
  });

  it('says what a closed port and an unknown host mean', async () => {
    proxy = await startTcpProxy(daemon.port);
    await proxy.stop();
    const wide = await aStore(join(base, `agent-${round++}`), { allowProtocols: ['git', 'https', 'ssh'] });
    for (const url of [
      `git://127.0.0.1:${proxy.port}/r.git`,
      `https://127.0.0.1:${proxy.port}/r.git`,
      `ssh://git@127.0.0.1:${proxy.port}/r.git`,
      'https://no-such-host.invalid/r.git',
    ]) {
      const failure = await failureOf(wide.fetch({ url: url as RepositoryUrl, commitId }, NEVER));
      expect(failure, url).toMatchObject({ code: 'FETCH_FAILED', next: 'retry' });
    }
  });

  it('brings the commit to fifty agents that ask one plain git daemon in the same instant', async () => {
    proxy = await startTcpProxy(daemon.port);
    const url = daemon.url('r.git') as RepositoryUrl;
    const stores = await Promise.all(
      Array.from({ length: 50 }, (_, at) => aStore(join(base, `herd/${at}`), { allowProtocols: ['git'] })),
    );
    let retries = 0;
    const arrive = async (store: Store) => {
      for (let attempt = 0; ; attempt++) {
        try {
          return await store.fetch({ url, commitId }, NEVER);
        } catch (error) {
          const wait = error instanceof FleetError ? fetchRetryMs(error, attempt, systemRandom) : null;
          if (wait === null) throw error;
          retries++;
          await systemClock.sleep(wait);
        }
      }
    };
    await Promise.all(stores.map(arrive));
    const arrived = await Promise.all(stores.map((store) => store.has(commitId, url)));
    expect(arrived.filter(Boolean).length).toBe(50);
    expect(retries).toBeLessThan(50 * 5);
    for (const store of stores) {
      expect(leftovers(store)).toEqual([]);
      store.close();
    }
  }, 240_000);
});

describe('an endless list of refs', () => {
  it('is ended long before memory runs out, and its server is not asked again at once', async () => {
    const name = 'a'.repeat(900);
    let sent = 0;
    const endless = createServer((_, response) => {
      response.writeHead(200, { 'content-type': 'application/x-git-upload-pack-advertisement' });
      const line = (text: string) => `${(text.length + 4).toString(16).padStart(4, '0')}${text}`;
      response.write(`${line('# service=git-upload-pack\n')}0000${line(`${'a1'.repeat(20)} HEAD\0agent=x\n`)}`);
      let n = 0;
      const more = () => {
        while (!response.destroyed) {
          const lines = Array.from({ length: 64 }, () => line(`${'a1'.repeat(20)} refs/heads/${n++}${name}\n`)).join(
            '',
          );
          sent += lines.length;
          if (!response.write(lines)) return void response.once('drain', more);
        }
      };
      more();
    });
    await new Promise<void>((resolve) => endless.listen(0, '127.0.0.1', resolve));
    const { port } = endless.address() as AddressInfo;
    const store = await aStore(join(base, 'endless'), { allowProtocols: ['http'] });
    const url = `http://127.0.0.1:${port}/r.git` as RepositoryUrl;
    const failure = await failureOf(store.fetch({ url, commitId }, NEVER));
    expect(failure).toMatchObject({ code: 'FLOODED', next: 'retry' });
    expect(sent).toBeLessThan(700 * 1024 ** 2);
    // Not again at once: the first pause is minutes, whatever chance says of the spread.
    expect(fetchRetryMs(failure, 0, () => 1)).toBeGreaterThan(60_000);
    endless.closeAllConnections();
    endless.close();
    store.close();
  });
});

describe('the retry policy', () => {
  const of = (code: Code, next: FleetError['next'] = 'retry') => new FleetError({ code, next, reason: '', hint: '' });

  it('tries again only what may pass by itself, ever slower, spread by chance', () => {
    expect(fetchRetryMs(of('AUTH', 'stall'), 0, () => 0.5)).toBe(null);
    expect(fetchRetryMs(of('INTERNAL', 'bug'), 0, () => 0.5)).toBe(null);
    expect(fetchRetryMs(of('FETCH_FAILED'), 0, () => 0)).toBe(20);
    expect(fetchRetryMs(of('FETCH_FAILED'), 0, () => 1)).toBe(420);
    expect(fetchRetryMs(of('FETCH_FAILED'), 1, () => 1)).toBe(820);
    expect(fetchRetryMs(of('ORIGIN_BUSY'), 0, () => 1)).toBe(20_020);
    expect(fetchRetryMs(of('FETCH_FAILED'), 1_000, () => 1)).toBe(60_020);
  });

  it('asks for an absent commit some minutes long, no longer', () => {
    const waits = Array.from({ length: 30 }, (_, attempt) => fetchRetryMs(of('COMMIT_NOT_FOUND'), attempt, () => 0.5));
    expect(waits.indexOf(null)).toBe(25);
    const total = waits.reduce<number>((sum, ms) => sum + (ms ?? 0), 0);
    expect(total).toBeGreaterThan(120_000);
    expect(total).toBeLessThan(900_000);
  });
});

describe('progress', () => {
  it('is counted objects and received bytes, not words', () => {
    expect(readProgress('Receiving objects:  12% (12/100), 1.50 MiB | 3.00 KiB/s\r')).toEqual({
      counted: 'Receiving objects 12',
      bytes: 1.5 * 1024 ** 2,
    });
    expect(readProgress('remote: Counting objects: 100% (7/7), done.\n')).toEqual({
      counted: 'Counting objects 7',
      bytes: 0,
    });
    expect(readProgress('hello')).toEqual({ counted: '', bytes: 0 });
    const clock = steered();
    const watch = watchProgress(clock, { silentMs: 100, totalMs: 1_000, maxBytes: 1e9 });
    for (let at = 0; at < 5; at++) {
      clock.pass(90);
      watch.saw(`Receiving objects: ${at} (${at}/100)\r`);
    }
    expect(watch.overdue).toBe(null);
    clock.pass(60);
    watch.saw('Receiving objects: 4 (4/100)\r');
    clock.pass(60);
    expect(watch.overdue).toBe('silent');
    expect(watch.signal.aborted).toBe(true);
  });
});

/** Time that passes only when told to. */
function steered() {
  let now = 0;
  let timers: { at: number; action: () => void }[] = [];
  return {
    now: () => now,
    monotonic: () => now,
    sleep: async () => {},
    after(ms: number, action: () => void) {
      const timer = { at: now + ms, action };
      timers.push(timer);
      return () => {
        timers = timers.filter((other) => other !== timer);
      };
    },
    pass(ms: number) {
      now += ms;
      for (const timer of timers.filter(({ at }) => at <= now)) timer.action();
      timers = timers.filter(({ at }) => at > now);
    },
  };
}

describe('the packer of an origin', () => {
  it.each([
    ['file:///srv/git/shop.git', 'git -c pack.threads=1 -c pack.windowMemory=64m upload-pack'],
    ['ssh://git.example.com/shop.git', undefined],
    ['https://git.example.com/shop.git', undefined],
  ])('of %s is bounded in memory where it is a child of ours', async (url, packer) => {
    let asked: readonly string[] = [];
    const run = async (args: readonly string[]) => {
      asked = args;
      return { exitCode: 0, stdout: Buffer.alloc(0), stderr: '' };
    };
    const repository = { directory: '/nowhere', git: { run }, clock: systemClock } as never;
    const access = { config: [], env: {}, protocols: [] };
    await fetcher(repository, url as RepositoryUrl, access, FETCH_LIMITS, NEVER)(['--depth=1'], ['+a:b']);
    const option = asked.find((each) => each.startsWith('--upload-pack='));
    expect(option?.slice('--upload-pack='.length)).toBe(packer);
  });
});

describe('the words of git', () => {
  it('mean one code each, whatever the server says about itself', () => {
    const table: [string, string][] = [
      ['fatal: write error: No space left on device', 'NO_SPACE'],
      ['remote: No space left on device\nfatal: early EOF', 'FETCH_FAILED'],
      ['remote: Permission denied (publickey)\nfatal: remote error: upload-pack: not our ref 12', 'COMMIT_NOT_FOUND'],
      [
        'No ED25519 host key is known for h and you have requested strict checking.\nHost key verification failed.\nfatal: Could not read from remote repository.',
        'HOST_KEY',
      ],
      ['git@h: Permission denied (publickey).\nfatal: Could not read from remote repository.', 'AUTH'],
      ["fatal: could not read Username for 'https://h': terminal prompts disabled", 'AUTH'],
      ["fatal: unable to access 'https://h/': The requested URL returned error: 302", 'REDIRECTED'],
      ["fatal: unable to access 'https://h/': The requested URL returned error: 502", 'FETCH_FAILED'],
      ["fatal: unable to access 'https://h/': Operation too slow. Less than 1000 bytes/sec", 'FETCH_FAILED'],
      ["fatal: Unable to create '/s/shallow.lock': File exists.", 'STORE_LOCKED'],
      ["fatal: Unable to create '/s/shallow.lock': Permission denied", 'PERMISSION'],
      ['error: inflate: data stream error (incorrect data check)\nfatal: loose object 12 is corrupt', 'STORE_BROKEN'],
      ['fatal: mismatched algorithms: client sha1; server sha256', 'OBJECT_FORMAT'],
      ["fatal: transport 'file' not allowed", 'PROTOCOL_REFUSED'],
      ['something entirely new', 'GIT_FAILED'],
      ["fatal: unable to access 'https://h/': something entirely new", 'FETCH_FAILED'],
      ["fatal: unable to create symlink 'l': File name too long", 'NAME_TOO_LONG'],
    ];
    for (const [words, code] of table) expect(gitFailure('git fetch', { stderr: words }).code, words).toBe(code);
  });

  /** Words that, said by our own git, would have us free disk, doubt the store, blame the commit or wait for a person. */
  const LOCAL = [
    'fatal: write error: No space left on device',
    'error: unable to write file x',
    "fatal: sha1 file 'pack/tmp_idx_x' write error. Out of diskspace",
    'fatal: bad object deadbeef: object file is corrupt',
    'fatal: not a git repository',
    'error: object 12: badTree: fsck error in packed object',
    "fatal: detected dubious ownership in repository at '/srv/r'",
    'fatal: mismatched algorithms: client sha1; server sha256',
    "fatal: Unable to create '/s/shallow.lock': File exists.",
    'Read-only file system',
    'Cannot allocate memory',
    'fatal: something entirely new',
  ];

  it.each(LOCAL)('of another machine never decide what this one does: %s', (words) => {
    const said = [
      `remote: ${words}\nfatal: early EOF`,
      `remote: Counting objects: 1\nremote: ${words}\nfatal: the remote end hung up unexpectedly`,
      `fatal: remote error: ${words}`,
      `fatal: remote error: upload-pack: x\n${words}`,
      `${words}\nfatal: Could not read from remote repository.\n\nPlease make sure you have the correct access rights`,
    ];
    for (const text of said) {
      expect(gitFailure('git fetch', { stderr: text }), text).toMatchObject({ code: 'FETCH_FAILED', next: 'retry' });
    }
  });

  it('are cleaned: no password, no escape, no flood', () => {
    const { message } = gitFailure('git fetch', {
      stderr: `fatal: https://u:secret@h/ \u001b[31m${'x'.repeat(50_000)}`,
    });
    expect(message).not.toContain('secret');
    expect(message).not.toContain('\u001b');
    expect(message.length).toBeLessThan(1_000);
  });
});
