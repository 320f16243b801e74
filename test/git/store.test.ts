import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CommitId, RepositoryUrl } from '../../schemas/values.ts';
import { createOrigin, type GitOrigin, temporaryDirectory, writeFiles } from '../support/git/origin.ts';
import { aStore, failureOf, inCommit, NEVER, onDisk, release } from './test-store.ts';

let base: string;
let remove: () => void;
let origin: GitOrigin;

beforeEach(() => {
  ({ path: base, remove } = temporaryDirectory('store'));
  origin = createOrigin(join(base, 'origin.git'));
});
afterEach(() => remove());

describe('a store', () => {
  it('brings exactly the commit asked for, once, and says whether it asked the server', async () => {
    const first = origin.commit({ 'a.txt': 'one\n', 'bin/run': { run: '#!/bin/sh\n' } });
    origin.commit({ 'a.txt': 'two\n' });
    const store = await aStore(base);
    expect(await store.has(first, origin.url)).toBe(false);
    expect(await store.fetch({ url: origin.url, commitId: first }, NEVER)).toEqual({ network: true });
    expect(await store.has(first, origin.url)).toBe(true);
    expect(await store.fetch({ url: origin.url, commitId: first }, NEVER)).toEqual({ network: false });
    expect(await store.pinned()).toEqual([first]);
    const directory = await release(store, base, first);
    expect(onDisk(directory)).toEqual(inCommit(origin.directory, first));
    expect(await store.inspect(directory, first, NEVER)).toEqual({
      head: first,
      changed: [],
      missing: [],
      strangers: [],
    });
    const git = (...args: string[]) => execFileSync('git', ['-C', directory, ...args], { encoding: 'utf8' }).trim();
    expect(git('rev-parse', 'HEAD')).toBe(first);
    expect(git('status', '--porcelain', '--ignored')).toBe('');
    expect(git('worktree', 'list', '--porcelain')).toContain(directory);
  });

  it('asks nobody where no repository is named, and has what is pinned all the same', async () => {
    const store = await aStore(base);
    const commitId = origin.commit({ kept: 'x' });
    expect(await failureOf(store.fetch({ url: null, commitId }, NEVER))).toMatchObject({ code: 'NOT_KEPT' });
    await store.fetch({ url: origin.url, commitId }, NEVER);
    expect(await store.fetch({ url: null, commitId }, NEVER)).toEqual({ network: false });
  });

  it('follows forward, backward, force-pushed, unrelated and deleted branches, and tags', async () => {
    const store = await aStore(base);
    const a = origin.commit({ a: '1', 'dir/b': '2' });
    const b = origin.commit({ a: '2', 'dir/b': null, 'dir/c': '3' });
    const forced = origin.commit({ forced: 'x' }, { orphan: true });
    const gone = origin.commit({ gone: 'x' }, { branch: 'gone' });
    origin.branch('gone', null);
    const tagged = origin.commit({ tagged: 'x' }, { branch: 'tagged' });
    origin.git(['tag', 'v1', tagged]);
    origin.branch('tagged', null);
    const empty = origin.commit({});
    for (const [at, commitId] of [b, a, forced, gone, tagged, empty, a, b].entries()) {
      await store.fetch({ url: origin.url, commitId }, NEVER);
      const directory = await release(store, base, commitId, `r${at}`);
      expect(onDisk(directory)).toEqual(inCommit(origin.directory, commitId));
    }
  });

  it('speaks sha256, and refuses to mix hashes once something is pinned', async () => {
    const other = createOrigin(join(base, 'other.git'), { format: 'sha256' });
    const commitId = other.commit({ a: 'sha256\n' });
    const store = await aStore(base);
    await store.fetch({ url: other.url, commitId }, NEVER);
    expect(onDisk(await release(store, base, commitId))).toEqual(inCommit(other.directory, commitId));
    const old = origin.commit({ a: '1' });
    expect(await failureOf(store.fetch({ url: origin.url, commitId: old }, NEVER))).toMatchObject({
      code: 'OBJECT_FORMAT',
      next: 'stall',
    });
    const mismatched = await failureOf(
      store.fetch({ url: origin.url, commitId: `${'ab'.repeat(32)}` as CommitId }, NEVER),
    );
    expect(mismatched).toMatchObject({ code: 'OBJECT_FORMAT', next: 'stall' });
  });

  it('says so when the commit is not there, and takes it when it comes', async () => {
    const store = await aStore(base);
    origin.commit({ a: '1' });
    const absent = '1234567890'.repeat(4) as CommitId;
    expect(await failureOf(store.fetch({ url: origin.url, commitId: absent }, NEVER))).toMatchObject({
      code: 'COMMIT_NOT_FOUND',
      next: 'retry',
    });
    expect(await store.pinned()).toEqual([]);
    const there = origin.commit({ a: '2' });
    await store.fetch({ url: origin.url, commitId: there }, NEVER);
  });

  it('refuses ids of tags, trees and blobs, and keeps no pin of them', async () => {
    const store = await aStore(base);
    const commitId = origin.commit({ a: '1' });
    origin.git(['tag', '-a', '-m', 'a tag', 'v1', commitId]);
    for (const name of ['refs/tags/v1', `${commitId}^{tree}`, `${commitId}:a`]) {
      const id = origin.git(['rev-parse', name]) as CommitId;
      expect(await failureOf(store.fetch({ url: origin.url, commitId: id }, NEVER)), name).toMatchObject({
        code: 'NOT_A_COMMIT',
        next: 'stall',
      });
      expect(await store.has(id, origin.url)).toBe(false);
    }
    expect(await store.pinned()).toEqual([]);
  });

  it('is not fooled by a branch that is named like a commit', async () => {
    const store = await aStore(base);
    const real = origin.commit({ a: 'real' });
    const fake = origin.commit({ a: 'fake' });
    origin.git(['update-ref', `refs/heads/${real}`, fake]);
    await store.fetch({ url: origin.url, commitId: real }, NEVER);
    expect(onDisk(await release(store, base, real))).toEqual({ a: '644 real' });
  });

  it('lets nothing but full ids, listed protocols and plain paths through', async () => {
    const store = await aStore(base, { allowProtocols: ['https', 'ssh'] });
    const commitId = origin.commit({ a: '1' });
    const fetch = (url: string, id: string = commitId) =>
      failureOf(store.fetch({ url: url as RepositoryUrl, commitId: id as CommitId }, NEVER));
    for (const id of ['', 'HEAD', commitId.slice(1), commitId.toUpperCase(), `--${commitId}`, '0'.repeat(40)]) {
      expect((await fetch('https://example.invalid/r', id)).code).toBe('COMMIT_ID');
    }
    for (const url of [origin.url, 'git://127.0.0.1/r', 'http://127.0.0.1/r', 'ext::sh -c id']) {
      expect((await fetch(url)).code, url).toBe('PROTOCOL_REFUSED');
    }
    expect(() => store.spare('relative')).toThrow('plain absolute path');
    expect(() => store.spare('/a/../b')).toThrow('plain absolute path');
  });

  it('is packed in idle time without losing what is pinned or shown', async () => {
    const store = await aStore(base);
    const commits = Array.from({ length: 45 }, (_, at) => origin.commit({ [`f${at}`]: `${at}` }));
    const kept = commits[20] as CommitId;
    const last = commits.at(-1) as CommitId;
    for (const commitId of commits) {
      await store.fetch({ url: origin.url, commitId }, NEVER);
      if (commitId === kept) await release(store, base, commitId);
      if (commitId !== last) await store.unpin(commitId);
    }
    const packs = () => readdirSync(join(store.directory, 'objects/pack')).filter((name) => name.endsWith('.pack'));
    expect(packs().length).toBe(45);
    await store.tidy(NEVER);
    expect(packs().length).toBeLessThan(3);
    expect(await store.pinned()).toEqual([last]);
    // What is unpinned is asked for again: no note says any more where it came from.
    expect(await store.fetch({ url: origin.url, commitId: kept }, NEVER)).toEqual({ network: true });
    const shown = join(base, 'root/.gitfleet/shop/releases', kept);
    expect(await store.inspect(shown, kept, NEVER, { deep: true })).toMatchObject({
      head: kept,
      changed: [],
      missing: [],
    });
    expect(onDisk(await release(store, base, last))).toEqual(inCommit(origin.directory, last));
    store.close();
  });

  it('hides the store and shows the release, whatever the umask', async () => {
    const commitId = origin.commit({ 'a/b/c': '1', run: { run: 'x' } });
    const before = process.umask(0o077);
    try {
      const store = await aStore(base);
      await store.fetch({ url: origin.url, commitId }, NEVER);
      const directory = await release(store, base, commitId);
      const mode = (path: string) => (statSync(path).mode & 0o777).toString(8);
      expect(mode(store.directory)).toBe('700');
      expect([directory, `${directory}/a`, `${directory}/a/b`].map(mode)).toEqual(['755', '755', '755']);
      expect([`${directory}/a/b/c`, `${directory}/run`, `${directory}/.git`].map(mode)).toEqual(['644', '755', '644']);
    } finally {
      process.umask(before);
    }
  });
});

describe('a spare', () => {
  it('is proved only after its verification, and written again from any state', async () => {
    const commitId = origin.commit({ a: 'one', 'd/e': 'two' });
    const store = await aStore(base);
    await store.fetch({ url: origin.url, commitId }, NEVER);
    const spare = store.spare(join(base, 'root/spare'));
    expect(await spare.proved()).toBe(null);
    await spare.write(commitId, NEVER);
    expect(await spare.proved()).toBe(null);
    expect((await failureOf(spare.moveTo(join(base, 'root/release')))).code).toBe('NOT_PROVED');
    await spare.verify(commitId, NEVER);
    expect(await spare.proved()).toBe(commitId);
    for (const damage of [
      () => writeFileSync(join(spare.directory, 'a'), 'edited'),
      () => rmSync(join(spare.directory, 'd'), { recursive: true }),
      () => {
        rmSync(join(spare.directory, 'a'));
        mkdirSync(join(spare.directory, 'a/x'), { recursive: true });
      },
      () => writeFileSync(join(spare.directory, 'd/stranger'), ''),
      () => chmodSync(join(spare.directory, 'a'), 0o755),
      () => execFileSync('git', ['init', '-q', join(spare.directory, 'nested')]),
      () => rmSync(join(spare.directory, '.git')),
      () => rmSync(spare.directory, { recursive: true }),
    ]) {
      damage();
      await store
        .spare(spare.directory)
        .verify(commitId, NEVER)
        .then(
          () => expect.fail(`not seen: ${damage}`),
          (error) => expect(['TREE_MISMATCH', 'NO_SPARE']).toContain(error.code),
        );
      await spare.write(commitId, NEVER);
      await spare.verify(commitId, NEVER);
      expect(onDisk(spare.directory)).toEqual({ a: '644 one', 'd/e': '644 two' });
    }
  });

  it('names what differs', async () => {
    const commitId = origin.commit({ a: 'one', b: 'two', '.gitignore': 'ignored\n' });
    const store = await aStore(base);
    await store.fetch({ url: origin.url, commitId }, NEVER);
    const directory = await release(store, base, commitId);
    writeFileSync(join(directory, 'a'), 'edited');
    rmSync(join(directory, 'b'));
    writeFileSync(join(directory, 'ignored'), '');
    mkdirSync(join(directory, 'new/deep'), { recursive: true });
    writeFileSync(join(directory, 'new/deep/file'), '');
    expect(await store.inspect(directory, commitId, NEVER)).toEqual({
      head: commitId,
      changed: ['a'],
      missing: ['b'],
      strangers: ['ignored', 'new/'],
    });
    expect(readFileSync(join(directory, 'a'), 'utf8')).toBe('edited');
  });

  it('leaves out of the inspection what steps make, at the depth that the pattern means', async () => {
    const commitId = origin.commit({ a: '1', 'lib/made.js': '1', 'x/y': '1' });
    const store = await aStore(base);
    await store.fetch({ url: origin.url, commitId }, NEVER);
    const directory = await release(store, base, commitId);
    for (const path of ['node_modules/p/index.js', 'lib/node_modules/q.js', 'build/out', 'lib/build/out', 'x/z']) {
      mkdirSync(join(directory, path, '..'), { recursive: true });
      writeFileSync(join(directory, path), '');
    }
    writeFileSync(join(directory, 'lib/made.js'), 'made again');
    const inspect = async (...except: string[]) => {
      const { changed, strangers } = await store.inspect(directory, commitId, NEVER, { except });
      return [...changed, ...strangers].sort();
    };
    const all = ['build/', 'lib/build/', 'lib/made.js', 'lib/node_modules/', 'node_modules/', 'x/z'];
    expect(await inspect()).toEqual(all);
    expect(await inspect('node_modules')).toEqual(['build/', 'lib/build/', 'lib/made.js', 'x/z']);
    expect(await inspect('node_modules/', '/build', '*.js')).toEqual(['lib/build/', 'x/z']);
    expect(await inspect('node_modules', 'build/', 'lib/made.js', 'x/*')).toEqual([]);
    store.close();
  });

  it('is made good after a checkout that was given up half-way', async () => {
    const files = Object.fromEntries(
      Array.from({ length: 1_500 }, (_, at) => [`d${at % 20}/f${at}`, `${at}`.repeat(500)]),
    );
    const list = Object.entries(files).map(([path, text]) => [path, text] as const);
    const commitId = origin.commit(Object.fromEntries(list.slice(0, 60)));
    writeFiles(join(base, 'work'), files);
    const git = (...args: string[]) =>
      execFileSync('git', ['--git-dir', origin.directory, '--work-tree', join(base, 'work'), ...args]);
    git('add', '-A');
    git('-c', 'user.name=a', '-c', 'user.email=a@b', 'commit', '-q', '-m', 'many');
    const many = origin.git(['rev-parse', 'HEAD']) as CommitId;
    const store = await aStore(base);
    for (const id of [commitId, many]) await store.fetch({ url: origin.url, commitId: id }, NEVER);
    const spare = store.spare(join(base, 'root/spare'));
    for (const ms of [5, 15, 30, 60]) {
      await spare.write(commitId, NEVER);
      await spare.verify(commitId, NEVER);
      const controller = new AbortController();
      const timer = setTimeout(() => controller.abort(new DOMException('newer target', 'AbortError')), ms);
      const thrown = await spare.write(many, controller.signal).catch((error: Error) => error.message);
      clearTimeout(timer);
      expect([undefined, 'newer target']).toContain(thrown);
    }
    await spare.write(many, NEVER);
    await spare.verify(many, NEVER);
    expect(onDisk(spare.directory)).toEqual(inCommit(origin.directory, many));
    store.close();
  });

  it('refuses to move over anything, and never deletes what is not a directory', async () => {
    const commitId = origin.commit({ a: 'one' });
    const store = await aStore(base);
    await store.fetch({ url: origin.url, commitId }, NEVER);
    await release(store, base, commitId, 'r1');
    expect((await failureOf(release(store, base, commitId, 'r1'))).code).toBe('PATH_TAKEN');
    writeFileSync(join(base, 'root/file'), 'precious');
    expect((await failureOf(store.spare(join(base, 'root/file')).write(commitId, NEVER))).code).toBe('PATH_TAKEN');
    expect(readFileSync(join(base, 'root/file'), 'utf8')).toBe('precious');
    await store.removeWorkTree(join(base, 'root/.gitfleet/shop/releases/r1'));
    await store.removeWorkTree(join(base, 'root/.gitfleet/shop/releases/r1'));
    await release(store, base, commitId, 'r2');
  });
});
