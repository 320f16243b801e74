import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createOrigin, type GitOrigin, temporaryDirectory } from '../support/git/origin.ts';
import { ensureDebianPackage } from '../support/git/sshd.ts';
import { aStore, failureOf, NEVER, onDisk, release } from './test-store.ts';

let base: string;
let remove: () => void;
let origin: GitOrigin;
let mounts: string[];

beforeEach(() => {
  ({ path: base, remove } = temporaryDirectory('disk'));
  origin = createOrigin(join(base, 'origin.git'));
  mounts = [];
});
afterEach(() => {
  for (const mount of mounts) execFileSync('umount', ['-l', mount]);
  remove();
});

/** A small file system of its own; false where this machine lets nobody mount one (an unprivileged container). */
function mount(directory: string, options: string): boolean {
  ensureDebianPackage('mount', '/usr/bin/mount');
  mkdirSync(directory, { recursive: true });
  const said = spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', directory], { encoding: 'utf8' });
  if (said.status === 0) mounts.push(directory);
  else console.log(`no small file system here (${said.stderr.trim()}): the limit is set by hand instead`);
  return said.status === 0;
}

/** Until nothing more fits. */
function fill(directory: string): void {
  for (let bytes = 1 << 20; bytes >= 4_096; ) {
    try {
      writeFileSync(join(directory, 'filler'), Buffer.alloc(bytes), { flag: 'a' });
    } catch {
      bytes >>= 1;
    }
  }
}

describe('a full disk', () => {
  it('in the state: says so, leaves nothing half, keeps what is served, and recovers by itself', async () => {
    const first = origin.commit({ a: 'one' });
    const big = origin.commit({ big: randomBytes(6_000_000) });
    const mounted = mount(join(base, 'state'), 'size=4m');
    const store = await aStore(base, mounted ? {} : { limits: { maxBytes: 4_000_000 } });
    await store.fetch({ url: origin.url, commitId: first }, NEVER);
    const live = await release(store, base, first);
    const failure = await failureOf(store.fetch({ url: origin.url, commitId: big }, NEVER));
    expect(failure.code).toBe(mounted ? 'NO_SPACE' : 'TOO_LARGE');
    if (mounted) expect(failure.next).toBe('retry');
    const names = readdirSync(store.directory, { recursive: true, encoding: 'utf8' });
    expect(names.filter((name) => /tmp_|\.lock$/.test(name))).toEqual([]);
    expect(onDisk(live)).toEqual({ a: '644 one' });
    const next = origin.commit({ big: null, a: 'two' });
    await store.fetch({ url: origin.url, commitId: next }, NEVER);
    expect(onDisk(await release(store, base, next))).toEqual({ a: '644 two' });
    store.close();
  });

  it('under the releases: says so before it writes, or while it does, and recovers by itself', async () => {
    const first = origin.commit({ a: 'one' });
    const big = origin.commit({ big: randomBytes(3_000_000) });
    const mounted = mount(join(base, 'root'), 'size=2m');
    const store = await aStore(base, mounted ? {} : { rules: { maxTotalBytes: 2_000_000 } });
    for (const commitId of [first, big]) await store.fetch({ url: origin.url, commitId }, NEVER);
    const live = await release(store, base, first);
    await store.spare(join(base, 'root/.gitfleet/shop/spare')).write(first, NEVER);
    expect((await failureOf(release(store, base, big))).code).toBe(mounted ? 'NO_SPACE' : 'TOO_LARGE');
    if (mounted) {
      // Full although there seemed to be room: somebody else writes meanwhile.
      const middling = origin.commit({ big: null, m: randomBytes(1_000_000) });
      await store.fetch({ url: origin.url, commitId: middling }, NEVER);
      const spare = store.spare(join(base, 'root/.gitfleet/shop/spare'));
      writeFileSync(join(base, 'root/filler'), randomBytes(1_500_000));
      expect((await failureOf(spare.write(middling, NEVER))).code).toBe('NO_SPACE');
      rmSync(join(base, 'root/filler'));
      await release(store, base, middling);
    }
    expect(onDisk(live)).toEqual({ a: '644 one' });
    store.close();
  });

  it('takes a small commit although the room is held by what the spare has half-written', async () => {
    const first = origin.commit({ a: 'one' });
    const big = origin.commit({ big: randomBytes(1_500_000) });
    const small = origin.commit({ big: null, a: 'two' });
    if (!mount(join(base, 'root'), 'size=2m')) return expect(mounts).toEqual([]);
    const store = await aStore(base);
    for (const commitId of [first, big, small]) await store.fetch({ url: origin.url, commitId }, NEVER);
    const live = await release(store, base, first);
    const spare = store.spare(join(base, 'root/.gitfleet/shop/spare'));
    await spare.write(first, NEVER);
    // As git leaves it when the disk fills half-way; the rest is taken by somebody else.
    writeFileSync(join(spare.directory, 'big'), randomBytes(1_000_000));
    fill(join(base, 'root'));
    expect(onDisk(await release(store, base, small))).toEqual({ a: '644 two' });
    expect(onDisk(live)).toEqual({ a: '644 one' });
    store.close();
  });

  it('holds nothing back in a spare that could not be written', async () => {
    const first = origin.commit({ a: 'one' });
    const big = origin.commit({ a: randomBytes(900_000), b: randomBytes(900_000), c: randomBytes(900_000) });
    if (!mount(join(base, 'root'), 'size=2m')) return expect(mounts).toEqual([]);
    const store = await aStore(base);
    for (const commitId of [first, big]) await store.fetch({ url: origin.url, commitId }, NEVER);
    await release(store, base, first);
    const before = readdirSync(join(base, 'root/.gitfleet/shop'));
    expect((await failureOf(release(store, base, big))).code).toBe('NO_SPACE');
    expect(readdirSync(join(base, 'root/.gitfleet/shop'))).toEqual(before);
    store.close();
  });

  it('gives the spare back for a fetch', async () => {
    const first = origin.commit({ a: 'one', weight: randomBytes(600_000) });
    const next = origin.commit({ more: randomBytes(700_000) });
    origin.git(['gc', '--quiet']);
    // Both on one disk: two work trees and the pack of the first leave no room for the second.
    if (!mount(join(base, 'all'), 'size=2500k')) return expect(mounts).toEqual([]);
    const store = await aStore(join(base, 'all'));
    await store.fetch({ url: origin.url, commitId: first }, NEVER);
    await release(store, join(base, 'all'), first);
    const spare = store.spare(join(base, 'all/root/.gitfleet/shop/spare'));
    await spare.write(first, NEVER);
    await spare.verify(first, NEVER);
    await store.fetch({ url: origin.url, commitId: next }, NEVER);
    expect(await store.has(next, origin.url)).toBe(true);
    expect(await spare.proved()).toBe(null);
    store.close();
  });

  it('without room for more files says so too, and a read-only root is named', async () => {
    const first = origin.commit({ a: 'one' });
    const many = origin.commit(Object.fromEntries(Array.from({ length: 60 }, (_, at) => [`m/${at}`, `${at}`])));
    if (!mount(join(base, 'root'), 'size=8m,nr_inodes=40')) return expect(mounts).toEqual([]);
    const store = await aStore(base);
    for (const commitId of [first, many]) await store.fetch({ url: origin.url, commitId }, NEVER);
    const live = await release(store, base, first);
    expect((await failureOf(release(store, base, many))).code).toBe('NO_SPACE');
    execFileSync('mount', ['-o', 'remount,ro', join(base, 'root')]);
    const thrown = await store
      .spare(join(base, 'root/.gitfleet/shop/spare'))
      .write(first, NEVER)
      .catch((e) => e);
    expect(['READ_ONLY', 'EROFS']).toContain(thrown.code);
    expect(onDisk(live)).toEqual({ a: '644 one' });
    execFileSync('mount', ['-o', 'remount,rw,nr_inodes=400', join(base, 'root')]);
    await release(store, base, many);
    store.close();
  });
});
