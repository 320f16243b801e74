import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type IndexEntry, readIndex, treeIdOf } from '../../git/index-file.ts';
import type { GitStore } from '../../git/open-store.ts';
import { createLog } from '../../runtime/log.ts';
import { createOrigin, type Files, type GitOrigin, temporaryDirectory } from '../support/git-origin.ts';
import { aStore, failureOf, inCommit, NEVER, onDisk } from './a-store.ts';

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

/** A store that notes which git commands it runs. */
async function listening(): Promise<GitStore> {
  const log = createLog({ level: 'silent' });
  return aStore(base, {
    log: { ...log, debug: (facts: { git?: string }) => facts.git && ran.push(facts.git) } as never,
  });
}

const spareOf = (store: GitStore) => store.spare(join(base, 'root/spare'));
const adminOf = (store: GitStore) =>
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
    expect(ran.sort()).toEqual(['checkout', 'fetch', 'ls-tree']);
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

describe('an index', () => {
  it.each(['sha1', 'sha256'] as const)(
    'of %s is read as git lists it, and hashes to the tree of the commit',
    async (format) => {
      const other = createOrigin(join(base, `${format}.git`), { format });
      const commitId = other.commit(FILES);
      const tree = join(base, 'tree');
      mkdirSync(tree);
      const git = (...args: string[]) =>
        execFileSync('git', [`--git-dir=${other.directory}`, `--work-tree=${tree}`, ...args], {
          encoding: 'latin1',
          cwd: tree,
        });
      git('read-tree', commitId);
      const file = join(other.directory, 'index');
      expect((await readIndex(file, format))?.every(({ seen }) => !seen)).toBe(true);
      git('checkout-index', '-a', '-u');
      const entries = (await readIndex(file, format)) as IndexEntry[];
      const listed = git('ls-files', '-s', '-z').split('\0').slice(0, -1);
      const hex = (id: string) => Buffer.from(id, 'latin1').toString('hex');
      expect(entries.map(({ mode, id, path }) => `${mode} ${hex(id)} 0\t${path}`)).toEqual(listed);
      expect(entries.every(({ seen }) => seen)).toBe(true);
      expect(entries.find(({ path }) => path === 'a.b')?.size).toBe(String(FILES['a.b']).length);
      expect(treeIdOf(entries, format)).toBe(other.git(['rev-parse', `${commitId}^{tree}`]));
    },
  );

  it('of nothing is the empty tree; a damaged, merging or foreign one is none', async () => {
    const git = (...args: string[]) =>
      execFileSync('git', [`--git-dir=${origin.directory}`, `--work-tree=${base}`, ...args], { encoding: 'utf8' });
    const file = join(origin.directory, 'index');
    git('read-tree', '--empty');
    const none = (await readIndex(file, 'sha1')) as IndexEntry[];
    expect(treeIdOf(none, 'sha1')).toBe(git('hash-object', '-t', 'tree', '/dev/null').trim());
    const [ours, theirs] = ['1', '2'].map((a) => origin.commit({ a }, { orphan: true }));
    git('read-tree', `${ours}`);
    expect(await readIndex(file, 'sha256')).toBe(null);
    copyFileSync(file, join(base, 'good'));
    const bytes = readFileSync(file);
    bytes[30] = (bytes[30] ?? 0) ^ 1;
    writeFileSync(file, bytes);
    expect(await readIndex(file, 'sha1')).toBe(null);
    expect(await readIndex(join(base, 'nothing'), 'sha1')).toBe(null);
    copyFileSync(join(base, 'good'), file);
    git('read-tree', '-m', origin.commit({}, { branch: 'none', orphan: true }), `${ours}`, `${theirs}`);
    expect(await readIndex(file, 'sha1')).toBe(null);
    git('read-tree', `${ours}`);
    git('-c', 'index.version=4', 'update-index', '--index-version', '4');
    expect(await readIndex(file, 'sha1')).toBe(null);
  });
});
