import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Store } from '../../../git/store.ts';
import { type FlatEntry, indexImage, isIndexOf, treeIdOf } from '../../../git/worktree/index-file.ts';
import { createOrigin, type Files, type GitOrigin, temporaryDirectory } from '../../support/git/origin.ts';
import { aListeningStore, failureOf, inCommit, NEVER, onDisk } from '../test-store.ts';

const FILES: Files = {
  a: '1',
  'a.b': 'sorted between a and a/',
  'd/e/f': { run: '#!/bin/sh\n' },
  'd-e': 'x',
  'd/link': { link: 'e/f' },
  empty: '',
  'ü/ß': 'named in two bytes each',
  [`${'long/'.repeat(20)}${'x'.repeat(200)}`]: 'y',
};

let base: string;
let remove: () => void;
let origin: GitOrigin;
let ran: string[];

beforeEach(() => {
  ({ path: base, remove } = temporaryDirectory('proof'));
  origin = createOrigin(join(base, 'origin.git'));
  ran = [];
});
afterEach(() => remove());

const listening = () => aListeningStore(base, (command) => ran.push(command));
const spareOf = (store: Store) => store.spare(join(base, 'root/spare'));
const adminOf = (store: Store) =>
  readFileSync(join(spareOf(store).directory, '.git'), 'utf8')
    .trim()
    .slice('gitdir: '.length);

describe('the proof of a checkout', () => {
  it('needs no second look of git at any file, and judges while the objects come', async () => {
    const commitId = origin.commit(FILES);
    const store = await listening();
    const spare = spareOf(store);
    ran = [];
    await store.fetch({ url: origin.url, commitId }, NEVER);
    await spare.write(commitId, NEVER);
    await spare.verify(commitId, NEVER);
    expect(ran.sort()).toEqual(['checkout-index', 'fetch', 'ls-tree']);
    expect(await spare.proved()).toBe(commitId);
    expect(onDisk(spare.directory)).toEqual(inCommit(origin.directory, commitId));
    store.close();
  });

  const damages: Record<string, [(directory: string, admin: string) => void, named: string]> = {
    'a file is gone': [(directory) => rmSync(join(directory, 'd-e')), 'missing: "d-e"'],
    'a file too much': [(directory) => writeFileSync(join(directory, 'd/more'), ''), 'not of the commit: "d/more"'],
    'a directory too much': [(directory) => mkdirSync(join(directory, 'd/more')), 'not of the commit: "d/more/"'],
    'a link where a file should be': [
      (directory) => {
        rmSync(join(directory, 'a'));
        symlinkSync('d-e', join(directory, 'a'));
      },
      'changed: "a"',
    ],
    'another HEAD': [(_, admin) => writeFileSync(join(admin, 'HEAD'), `${'ab'.repeat(20)}\n`), 'HEAD is '],
  };

  it.each(Object.entries(damages))('fails when there is %s, and says so', async (_, [damage, named]) => {
    const commitId = origin.commit(FILES);
    const store = await listening();
    const spare = spareOf(store);
    await store.fetch({ url: origin.url, commitId }, NEVER);
    await spare.write(commitId, NEVER);
    damage(spare.directory, adminOf(store));
    const failure = await failureOf(spare.verify(commitId, NEVER));
    expect(failure).toMatchObject({ code: 'TREE_MISMATCH', next: 'retry' });
    expect(failure.message).toContain(named);
    expect(await spare.proved()).toBe(null);
    await store.fetch({ url: origin.url, commitId }, NEVER);
    await spare.write(commitId, NEVER);
    await spare.verify(commitId, NEVER);
    expect(onDisk(spare.directory)).toEqual(inCommit(origin.directory, commitId));
    store.close();
  });

  const doubts: Record<string, (admin: string) => void> = {
    'cut short': (admin) => truncateSync(join(admin, 'index'), 200),
    'made without a look at the files': (admin) =>
      execFileSync('git', [`--git-dir=${admin}`, '-c', 'core.worktree=..', 'read-tree', 'HEAD']),
    'of another commit': (admin) => {
      const other = origin.commit({ other: 'x' }, { branch: 'other', orphan: true });
      execFileSync('git', [`--git-dir=${admin}`, 'fetch', '-q', origin.directory, other], { stdio: 'pipe' });
      execFileSync('git', [`--git-dir=${admin}`, 'read-tree', other]);
    },
  };

  it.each(Object.entries(doubts))('is left to a look at every file when the index is %s', async (_, damage) => {
    const commitId = origin.commit(FILES);
    const store = await listening();
    const spare = spareOf(store);
    await store.fetch({ url: origin.url, commitId }, NEVER);
    await spare.write(commitId, NEVER);
    damage(adminOf(store));
    ran = [];
    await spare.verify(commitId, NEVER);
    expect(ran).toContain('update-index'); // Which hashes every file.
    expect(await spare.proved()).toBe(commitId);
    store.close();
  });
});

describe('the image of an index', () => {
  /** An index and a work tree of this repository, and what git lists of its entries. */
  const indexOf = (directory: string, tree: string) => {
    const git = (...args: string[]) =>
      execFileSync('git', [`--git-dir=${directory}`, `--work-tree=${tree}`, ...args], {
        encoding: 'latin1',
        cwd: tree,
      });
    const entries = (): FlatEntry[] =>
      git('ls-tree', '-r', '-l', '-z', git('write-tree').trim())
        .split('\0')
        .slice(0, -1)
        .map((line) => {
          const [, mode, id, size, path] = /^(\d+) blob (\w+) +(\d+)\t(.*)$/s.exec(line) ?? [];
          return {
            mode: `${mode}`,
            id: `${id}`,
            size: Number(size),
            path: `${path}`,
          };
        });
    return { git, entries, file: join(directory, 'index') };
  };

  it.each(['sha1', 'sha256'] as const)(
    'of %s is what git writes when it has seen every file, and hashes to the tree of the commit',
    async (format) => {
      const other = createOrigin(join(base, `${format}.git`), { format });
      const commitId = other.commit(FILES);
      const tree = join(base, 'tree');
      mkdirSync(tree);
      const { git, entries, file } = indexOf(other.directory, tree);
      git('read-tree', commitId);
      const flat = entries();
      const image = indexImage(flat, format);
      expect(await isIndexOf(file, image, format)).toBe(false); // No file is there yet.
      git('checkout-index', '-a', '-u');
      expect(await isIndexOf(file, image, format)).toBe(true);
      expect(treeIdOf(flat, format)).toBe(other.git(['rev-parse', `${commitId}^{tree}`]));
      const changes: ((entry: FlatEntry) => FlatEntry)[] = [
        (entry) => ({ ...entry, mode: entry.mode === '100755' ? '100644' : '100755' }),
        (entry) => ({ ...entry, size: entry.size + 1 }),
        (entry) => ({ ...entry, id: `${entry.id.slice(0, -2)}00` }),
        (entry) => ({ ...entry, path: `${entry.path.slice(0, -1)}~` }),
      ];
      for (const change of changes) {
        const changed = flat.map((entry, at) => (at === 3 ? change(entry) : entry));
        expect(await isIndexOf(file, indexImage(changed, format), format)).toBe(false);
      }
      for (const fewer of [flat.slice(1), flat.slice(0, -1)])
        expect(await isIndexOf(file, indexImage(fewer, format), format)).toBe(false);
    },
  );

  it('of nothing is the empty tree; a damaged, merging or foreign index has none', async () => {
    const { git, entries, file } = indexOf(origin.directory, base);
    git('read-tree', '--empty');
    expect(treeIdOf([], 'sha1')).toBe(git('hash-object', '-t', 'tree', '/dev/null').trim());
    expect(await isIndexOf(file, indexImage([], 'sha1'), 'sha1')).toBe(true);
    const [ours, theirs] = ['1', '2'].map((a) => origin.commit({ a }, { orphan: true }));
    const restore = () => {
      git('read-tree', `${ours}`);
      git('checkout-index', '-a', '-u', '-f');
    };
    restore();
    const image = indexImage(entries(), 'sha1');
    const isOurs = () => isIndexOf(file, image, 'sha1');
    expect(await isOurs()).toBe(true);
    expect(await isIndexOf(file, image, 'sha256')).toBe(false);
    expect(await isIndexOf(join(base, 'nothing'), image, 'sha1')).toBe(false);
    const bytes = readFileSync(file);
    bytes[14] = (bytes[14] ?? 0) ^ 1; // A time, which only the checksum tells.
    writeFileSync(file, bytes);
    expect(await isOurs()).toBe(false);
    restore();
    expect(await isOurs()).toBe(true);
    git('update-index', '--assume-unchanged', 'a');
    expect(await isOurs()).toBe(false);
    restore();
    git('read-tree', '-m', origin.commit({}, { branch: 'none', orphan: true }), `${ours}`, `${theirs}`);
    expect(await isOurs()).toBe(false);
    restore();
    git('update-index', '--index-version', '4');
    expect(await isOurs()).toBe(false);
  });
});
