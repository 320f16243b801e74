import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { carryOver } from '../../../git/repository/carry-over.ts';
import type { Repository } from '../../../git/repository/repository.ts';
import { NO_GIT_FAILPOINT } from '../../../git/run/failpoints.ts';
import { createGit } from '../../../git/run/process.ts';
import type { Store } from '../../../git/store.ts';
import { systemClock } from '../../../runtime/clock.ts';
import type { CommitId, RepositoryUrl } from '../../../schemas/values.ts';
import { createOrigin, type GitOrigin, temporaryDirectory } from '../../support/git/origin.ts';
import { aStore, failureOf, inCommit, NEVER, onDisk, QUIET, release } from '../test-store.ts';

/** What a new store takes from a damaged one: all that is whole there, and nothing of the damage. */
let base: string;
let remove: () => void;
let origin: GitOrigin;
let first: CommitId;
let second: CommitId;
beforeEach(() => {
  ({ path: base, remove } = temporaryDirectory('carry-over'));
  origin = createOrigin(join(base, 'git/origin.git'));
  first = origin.commit({ a: '1\n', 'd/b': '1\n' });
  second = origin.commit({ a: '2\n' });
  origin.git(['gc', '--quiet']); // So that it is fetched, not copied.
});
afterEach(() => remove());

const storeOf = (at = base) => join(at, 'state/apps/shop/store.git');
const AWAY = 'file:///nowhere/at/all.git' as RepositoryUrl;

/** The first commit released, the second kept; what they hold, since the origin may go. */
async function served(): Promise<{ store: Store; live: string; expected: Record<string, string> }> {
  const store = await aStore(base);
  await store.fetch({ url: origin.url, commitId: second }, NEVER);
  await store.fetch({ url: origin.url, commitId: first }, NEVER);
  return { store, live: await release(store, base, first), expected: inCommit(origin.directory, first) };
}

/** All but the objects. */
const BOOKS: Record<string, (store: string) => void> = {
  'no HEAD': (store) => rmSync(join(store, 'HEAD')),
  'a HEAD of zeros': (store) => writeFileSync(join(store, 'HEAD'), Buffer.alloc(41)),
  'a bad config': (store) => writeFileSync(join(store, 'config'), '[core\n\0'),
  'no config': (store) => rmSync(join(store, 'config')),
  'a config of another hash': (store) =>
    writeFileSync(
      join(store, 'config'),
      '[core]\n\trepositoryformatversion = 1\n[extensions]\n\tobjectformat = sha256\n',
    ),
  'a bad shallow list': (store) => writeFileSync(join(store, 'shallow'), 'garbage\n'),
  'no shallow list': (store) => rmSync(join(store, 'shallow')),
  'a directory for a shallow list': (store) => {
    rmSync(join(store, 'shallow'));
    mkdirSync(join(store, 'shallow/x'), { recursive: true });
  },
  'bad packed refs': (store) => writeFileSync(join(store, 'packed-refs'), 'not a ref at all\n'),
  'an empty pin': (store) => writeFileSync(join(store, 'refs/pins', first), ''),
  'no refs': (store) => rmSync(join(store, 'refs'), { recursive: true }),
  'a commondir': (store) => writeFileSync(join(store, 'commondir'), '/nowhere\n'),
};

describe.each(['while it runs', 'while it is stopped'])('a store whose objects are whole, damaged %s', (when) => {
  it.each(Object.entries(BOOKS))('(%s) loses no commit that its origin no longer has', async (_, damage) => {
    const { store, live, expected } = await served();
    rmSync(origin.directory, { recursive: true });
    if (when === 'while it is stopped') store.close();
    damage(storeOf());
    writeFileSync(`${storeOf()}.suspect`, 'replace');
    const used = when === 'while it is stopped' ? await aStore(base) : store;
    expect(await used.fetch({ url: null, commitId: first }, NEVER)).toEqual({ network: false });
    expect(await used.has(first, null)).toBe(true);
    await used.attach(live, first);
    expect(await used.inspect(live, first, NEVER, { deep: true })).toMatchObject({
      head: first,
      changed: [],
      missing: [],
    });
    expect(onDisk(live)).toEqual(expected);
    expect(readdirSync(join(base, 'state/apps/shop'))).toEqual(['store.git']);
  });
});

describe('a replacement', () => {
  const suspect = () => writeFileSync(`${storeOf()}.suspect`, 'replace');

  it('that fails leaves nothing beside the store that takes its room', async () => {
    const { store } = await served();
    suspect();
    const third = 'c'.repeat(40) as CommitId;
    expect((await failureOf(store.fetch({ url: AWAY, commitId: third }, NEVER))).code).toBe('REPOSITORY_NOT_FOUND');
    expect(readdirSync(join(base, 'state/apps/shop')).sort()).toEqual(['store.git', 'store.git.suspect']);
  });

  it('that a newer target interrupts leaves nothing either, and the next one is whole', async () => {
    const { store, live } = await served();
    suspect();
    const newer = new AbortController();
    const fetched = store.fetch({ url: origin.url, commitId: first }, newer.signal);
    await expect
      .poll(() => readdirSync(join(base, 'state/apps/shop')).some((name) => name.endsWith('.borrower')), {
        interval: 1,
      })
      .toBe(true);
    newer.abort(new DOMException('a newer target', 'AbortError'));
    await expect(fetched).rejects.toThrow('a newer target');
    expect(readdirSync(join(base, 'state/apps/shop')).sort()).toEqual(['store.git', 'store.git.suspect']);
    expect(await store.fetch({ url: null, commitId: first }, NEVER)).toEqual({ network: false });
    expect(await store.inspect(live, first, NEVER)).toMatchObject({ head: first, changed: [], missing: [] });
  });

  it('takes over no lock of a git that just worked on a release', async () => {
    const { store, live } = await served();
    const admin = readFileSync(join(live, '.git'), 'utf8').trim().slice('gitdir: '.length);
    for (const name of ['index.lock', 'HEAD.lock']) writeFileSync(join(admin, name), '');
    suspect();
    await store.fetch({ url: null, commitId: first }, NEVER);
    expect(readdirSync(admin).filter((name) => name.endsWith('.lock'))).toEqual([]);
  });

  it('that was half-made when the machine died, with a store that has lost its HEAD, costs no commit', async () => {
    const { store, live } = await served();
    store.close();
    rmSync(origin.directory, { recursive: true });
    execFileSync('git', ['init', '--quiet', '--bare', `${storeOf()}.fresh`]);
    mkdirSync(`${storeOf()}.fresh.borrower`);
    rmSync(join(storeOf(), 'HEAD'));
    const next = await aStore(base);
    expect((await next.pinned()).sort()).toEqual([first, second].sort());
    expect(await next.inspect(live, first, NEVER)).toMatchObject({ head: first, changed: [], missing: [] });
    expect(readdirSync(join(base, 'state/apps/shop'))).toEqual(['store.git']);
  });

  it('at start-up keeps the hash of what is kept', async () => {
    const other = createOrigin(join(base, 'git/sha256.git'), { format: 'sha256' });
    const commitId = other.commit({ a: '1\n' });
    const store = await aStore(base);
    await store.fetch({ url: other.url, commitId }, NEVER);
    store.close();
    rmSync(other.directory, { recursive: true });
    rmSync(join(storeOf(), 'HEAD'));
    expect(await (await aStore(base)).pinned()).toEqual([commitId]);
  });
});

describe('carrying over', () => {
  /** Two stores side by side, as far as this needs them. */
  async function pair(): Promise<[old: Repository, fresh: Repository, store: Store]> {
    const { store } = await served();
    const fresh = await aStore(join(base, 'fresh'));
    const git = createGit({ clock: systemClock, log: QUIET });
    const of = ({ directory }: Store) => ({ directory, log: QUIET, git, failpoint: NO_GIT_FAILPOINT }) as never;
    return [of(store), of(fresh), fresh];
  }

  it('notes nothing where the note of a commit is damaged; the commit arrives', async () => {
    const [old, fresh, store] = await pair();
    for (const [commitId, spoil] of [
      [first, (file: string) => mkdirSync(join(file, 'x'), { recursive: true })],
      [second, (file: string) => symlinkSync('/nowhere', file)],
    ] as const) {
      const note = join(old.directory, 'gitfleet-origins', commitId);
      rmSync(note);
      spoil(note);
    }
    expect((await carryOver(old, fresh, [first, second], NEVER)).size).toBe(0);
    expect((await store.pinned()).sort()).toEqual([first, second].sort());
    expect(await store.has(first, origin.url)).toBe(false);
    expect(await store.has(second, origin.url)).toBe(false);
  });

  it('of commits whose packs a gc replaces meanwhile brings each whole, or says why not', {
    timeout: 60_000,
  }, async () => {
    const [old, fresh, store] = await pair();
    const stop = spawn('sh', ['-c', 'while :; do git --git-dir="$1" repack -adfq; done', 'sh', old.directory], {
      stdio: 'ignore',
      detached: true,
    });
    try {
      for (let n = 0; n < 8; n++) {
        const lost = await carryOver(old, fresh, [first, second], NEVER);
        const there = await store.pinned();
        for (const commitId of [first, second]) expect(there.includes(commitId)).toBe(!lost.has(commitId));
        execFileSync('git', [`--git-dir=${fresh.directory}`, 'fsck', '--strict', ...there], { stdio: 'pipe' });
        for (const commitId of there) await store.unpin(commitId);
      }
    } finally {
      process.kill(-(stop.pid as number), 'SIGKILL');
    }
    expect((await carryOver(old, fresh, [first, second], NEVER)).size).toBe(0);
  });
});
