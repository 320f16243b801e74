import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { carryOver } from '../../../git/repository/carry-over.ts';
import { createDoubting, proveStore, suspicionOf } from '../../../git/repository/replace-store.ts';
import { type Repository, removeBrokenPins } from '../../../git/repository/repository.ts';
import { gitError, gitFailure, mayBeDamage } from '../../../git/run/errors.ts';
import { NO_GIT_FAILPOINT } from '../../../git/run/failpoints.ts';
import { createGit, DEFAULT_PATH, type Git } from '../../../git/run/process.ts';
import type { Store } from '../../../git/store.ts';
import { systemClock } from '../../../runtime/clock.ts';
import type { CommitId, RepositoryUrl } from '../../../schemas/values.ts';
import { startHttpsOrigin } from '../../support/git/https-origin.ts';
import { createOrigin, type GitOrigin, temporaryDirectory } from '../../support/git/origin.ts';
import { startTcpProxy } from '../tcp-proxy.ts';
import { aStore, failureOf, NEVER, QUIET, release } from '../test-store.ts';

/** When a store is replaced, and what it takes over: a network that is cut, or a machine out of memory, costs nothing. */
let base: string;
let origin: GitOrigin;
let first: CommitId;
let second: CommitId;
const removals: (() => void)[] = [];

beforeEach(() => {
  const made = temporaryDirectory('replace');
  base = made.path;
  removals.push(made.remove);
  origin = createOrigin(join(base, 'git/origin.git'));
  first = origin.commit({ a: '1\n' });
  second = origin.commit({ a: '2\n', b: '2\n' });
  origin.git(['gc', '--quiet']); // So that it is fetched, not copied.
});
afterAll(() => {
  for (const remove of removals) remove();
});

const storeOf = (at = base) => join(at, 'state/apps/shop/store.git');
const suspect = (text: string) => writeFileSync(`${storeOf()}.suspect`, text);
const inode = () => statSync(storeOf()).ino;
const AWAY = 'file:///nowhere/at/all.git' as RepositoryUrl;

async function served(): Promise<Store> {
  const store = await aStore(base);
  await store.fetch({ url: origin.url, commitId: first }, NEVER);
  await release(store, base, first);
  return store;
}

describe('a transfer that the network cut', () => {
  const CUT = [
    'error: 3220 bytes of body are still expected\nfetch-pack: unexpected disconnect while reading sideband packet\nfatal: early EOF\nfatal: fetch-pack: invalid index-pack output',
    'fatal: early EOF\nfatal: index-pack failed',
    'error: RPC failed; curl 56 Recv failure: Connection reset by peer\nfatal: early EOF\nfatal: fetch-pack: invalid index-pack output',
    'fatal: the remote end hung up unexpectedly\nfatal: early EOF\nfatal: index-pack failed',
  ];
  it.each(CUT)('is no sign of damage: %s', (words) => {
    expect(mayBeDamage(gitFailure('git fetch', { stderr: words }))).toBe(false);
  });

  it('is told apart from a pack that is unsound although it came whole', () => {
    const failure = gitFailure('git fetch', { stderr: 'fatal: fetch-pack: invalid index-pack output' });
    expect(failure.code).toBe('FETCH_FAILED');
    expect(mayBeDamage(failure)).toBe(true);
  });

  it('however often it happens, leaves the store as it is', { timeout: 60_000 }, async () => {
    const noise = createHash('shake256', { outputLength: 400_000 }).digest();
    const large = origin.commit({ noise });
    const server = await startHttpsOrigin(join(base, 'git'));
    const proxy = await startTcpProxy(server.port);
    proxy.weather = { kind: 'cut', after: 100_000 };
    try {
      const store = await aStore(base, { allowProtocols: ['file', 'http'] });
      await store.fetch({ url: origin.url, commitId: first }, NEVER);
      const before = inode();
      const url = `http://127.0.0.1:${proxy.port}/origin.git` as RepositoryUrl;
      for (let n = 0; n < 5; n++) {
        expect((await failureOf(store.fetch({ url, commitId: large }, NEVER))).code).toBe('FETCH_FAILED');
        expect(existsSync(`${storeOf()}.suspect`)).toBe(false);
      }
      expect(inode()).toBe(before);
    } finally {
      await proxy.stop();
      await server.stop();
    }
  });
});

describe('a store that is to be replaced', () => {
  it('takes over what is whole, also what its origin no longer has', async () => {
    const store = await served();
    origin.git(['update-ref', '-d', 'refs/heads/main']);
    origin.git(['reflog', 'expire', '--expire=now', '--all']);
    const other = createOrigin(join(base, 'git/other.git'));
    const next = other.commit({ c: '3\n' });
    suspect('replace');
    const before = inode();
    expect(await store.fetch({ url: other.url, commitId: next }, NEVER)).toEqual({ network: true });
    expect(inode()).not.toBe(before);
    expect((await store.pinned()).sort()).toEqual([first, next].sort());
    expect(await store.has(first, origin.url)).toBe(true);
    expect(await store.has(first, other.url)).toBe(false);
  });

  it.each(['its url', 'no url'])('gives a pinned commit without the network, asked with %s', async (how) => {
    const store = await served();
    rmSync(origin.directory, { recursive: true });
    suspect('replace');
    const url = how === 'no url' ? null : origin.url;
    expect(await store.fetch({ url, commitId: first }, NEVER)).toEqual({ network: false });
    expect(await store.has(first, origin.url)).toBe(true);
  });

  it('stays where a commit that it needs can be had nowhere else', async () => {
    const store = await served();
    const before = inode();
    suspect('replace');
    expect((await failureOf(store.fetch({ url: AWAY, commitId: second }, NEVER))).code).toBe('REPOSITORY_NOT_FOUND');
    expect(inode()).toBe(before);
    expect(await store.fetch({ url: null, commitId: first }, NEVER)).toEqual({ network: false });
  });

  it('stays where a kept commit can be had nowhere else, and the machine could not take it over now', async () => {
    (await served()).close();
    const bin = join(base, 'bin');
    mkdirSync(bin);
    const script = `#!/bin/sh\nPATH=${DEFAULT_PATH}\ncase "$*" in *".borrower +${first}:"*) kill -KILL $$;; esac\nexec git "$@"\n`;
    writeFileSync(join(bin, 'git'), script, { mode: 0o755 });
    const store = await aStore(base, { path: `${bin}:${DEFAULT_PATH}` });
    const other = createOrigin(join(base, 'git/other.git'));
    const next = other.commit({ c: '3\n' });
    suspect('replace');
    const before = inode();
    expect((await failureOf(store.fetch({ url: other.url, commitId: next }, NEVER))).code).toBe('GIT_KILLED');
    expect(inode()).toBe(before);
    expect(await store.pinned()).toEqual([first]);
    // Where the commit can be had, the old store is not needed.
    expect(await store.fetch({ url: origin.url, commitId: second }, NEVER)).toEqual({ network: true });
    expect((await store.pinned()).sort()).toEqual([first, second].sort());
  });

  it('keeps its hash when a target of another hash comes first', async () => {
    const store = await served();
    const other = createOrigin(join(base, 'git/sha256.git'), { format: 'sha256' });
    const next = other.commit({ c: '3\n' });
    suspect('replace');
    expect((await failureOf(store.fetch({ url: other.url, commitId: next }, NEVER))).code).toBe('OBJECT_FORMAT');
    expect(await store.fetch({ url: origin.url, commitId: second }, NEVER)).toEqual({ network: true });
    expect((await store.pinned()).sort()).toEqual([first, second].sort());
  });

  it('does not take over a commit with a damaged object', async () => {
    const store = await served();
    const packs = join(storeOf(), 'objects/pack');
    for (const name of readdirSync(packs).filter((each) => each.endsWith('.pack'))) {
      const bytes = readFileSync(join(packs, name));
      const middle = bytes.length >> 1;
      bytes[middle] = (bytes[middle] ?? 0) ^ 0x10;
      rmSync(join(packs, name));
      writeFileSync(join(packs, name), bytes);
    }
    store.close();
    const fresh = await aStore(join(base, 'fresh'));
    const [old, into] = [repositoryOf(store), repositoryOf(fresh)];
    expect([...(await carryOver(old, into, [first], NEVER)).keys()]).toEqual([first]);
    expect(await fresh.pinned()).toEqual([]);
  });
});

describe('the count of failures of unknown cause', () => {
  const unknown = () => gitError('GIT_FAILED', 'x');
  const network = () => gitError('FETCH_FAILED', 'x');

  /** A store whose look says `look`, and what doubts it. */
  function doubted(look: () => unknown = () => null) {
    const repository = repositoryOf({ directory: storeOf() }, look);
    const doubting = createDoubting(repository);
    const fail = async (...failures: unknown[]) => {
      for (const failure of failures) {
        await doubting('write', Promise.reject(failure)).catch(() => {});
      }
    };
    return { repository, fail };
  }

  it('is of failures in a row: another failure ends it', async () => {
    const { repository, fail } = doubted();
    await served();
    await fail(unknown(), network(), unknown(), network(), unknown());
    expect(await suspicionOf(repository)).toBeNull();
    await fail(unknown());
    expect(await suspicionOf(repository)).toBe('look');
  });

  it('does not include a process that the system killed, nor a file outside the store', async () => {
    const { repository, fail } = doubted();
    await served();
    const killed = gitError('GIT_KILLED', 'git checkout was ended by SIGKILL');
    const away = Object.assign(new Error('x'), { code: 'ENOENT', path: join(base, 'root/spare/x') });
    await fail(killed, killed, killed, killed, away, away, away, away);
    expect(await suspicionOf(repository)).toBeNull();
    const inside = Object.assign(new Error('x'), { code: 'ENOTDIR', path: join(storeOf(), 'refs/pins') });
    await fail(inside, inside);
    expect(await suspicionOf(repository)).toBe('look');
  });

  it('leads to a look, then to a replacement; a look that found it sound comes before that again', async () => {
    const { repository, fail } = doubted();
    await served();
    await fail(unknown(), unknown());
    expect(await proveStore(repository, NEVER)).toBe('sound');
    await fail(unknown());
    repository.soundness.proved = true; // Another kind of work had it looked at.
    await fail(unknown());
    expect(await suspicionOf(repository)).toBe('look');
    await fail(unknown(), unknown(), unknown(), unknown());
    expect(await suspicionOf(repository)).toBe('replace');
  });

  it('never lowers a replacement to a look', async () => {
    const { repository, fail } = doubted();
    await served();
    suspect('replace');
    await fail(gitError('STORE_BROKEN', 'x'), gitError('TREE_MISMATCH', 'x'), unknown(), unknown());
    expect(await suspicionOf(repository)).toBe('replace');
  });

  it('does not repeat a look that takes too long', async () => {
    const { repository, fail } = doubted(() => gitError('GIT_TIMEOUT', 'git fsck did not end within 1 ms'));
    await served();
    await fail(unknown(), unknown());
    expect(await proveStore(repository, NEVER)).toBe('unknown');
    expect(await suspicionOf(repository)).toBeNull();
    await fail(gitError('STORE_BROKEN', 'x'));
    expect(await suspicionOf(repository)).toBe('replace');
  });
});

describe('a pin', () => {
  it('is removed only where it was read and is wrong, or is no file', async () => {
    const store = await served();
    const pins = join(storeOf(), 'refs/pins');
    const pin = (digit: string) => join(pins, digit.repeat(40));
    writeFileSync(pin('1'), 'x');
    mkdirSync(join(pin('2'), 'x'), { recursive: true });
    symlinkSync(pin('3'), pin('3'));
    symlinkSync('/nowhere', pin('4'));
    await removeBrokenPins(store);
    expect(readdirSync(pins)).toEqual([first]);
    symlinkSync('/proc/self/mem', pin('5')); // Its first byte cannot be read: EIO.
    await expect(removeBrokenPins(store)).rejects.toMatchObject({ code: 'EIO' });
    expect(readdirSync(pins).sort()).toEqual(['5'.repeat(40), first].sort());
  });
});

/** The parts of a repository that carrying over and doubting use; `look` is how its fsck fails. */
function repositoryOf({ directory }: Pick<Store, 'directory'>, look: () => unknown = () => null): Repository {
  const real = createGit({ clock: systemClock, log: QUIET });
  const run: Git['run'] = async (args, call) => {
    const failure = args[0] === 'fsck' ? look() : null;
    if (failure !== null) throw failure;
    return real.run(args, call);
  };
  const soundness = { proved: false, unprovable: false };
  return { directory, log: QUIET, soundness, git: { ...real, run }, failpoint: NO_GIT_FAILPOINT } as never;
}
