import { execFileSync } from 'node:child_process';
import { chmodSync, readdirSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { TreeEntry } from '../../../git/objects/tree.ts';
import type { GitFailpoint } from '../../../git/run/failpoints.ts';
import type { Store } from '../../../git/store.ts';
import { contentsOf } from '../../../git/worktree/full-checkout.ts';
import { indexImage } from '../../../git/worktree/index-file.ts';
import { joined, partsOf } from '../../../git/worktree/index-parts.ts';
import type { CommitId } from '../../../schemas/values.ts';
import { createOrigin, type GitOrigin, temporaryDirectory, writeFiles } from '../../support/git/origin.ts';
import { aListeningStore, aStore, inCommit, NEVER, onDisk } from '../test-store.ts';

let base: string;
let remove: () => void;
let origin: GitOrigin;
let ran: string[];

beforeEach(() => {
  ({ path: base, remove } = temporaryDirectory('write-anew'));
  origin = createOrigin(join(base, 'origin.git'));
  ran = [];
});
afterEach(() => remove());

/** Closed after its test; `ran` gets the git commands that it runs. */
async function listening(failpoint?: GitFailpoint): Promise<Store> {
  const store = await aListeningStore(base, (command) => ran.push(command), { failpoint });
  onTestFinished(() => store.close());
  return store;
}

/** A commit of 2,500 files, a link and a program; the middle one lies deep in directories that many share. */
function manyFiles(): CommitId {
  const work = join(base, 'work');
  const deep = (at: number) => (at > 600 && at < 1_900 ? `m/ü/${Math.floor(at / 100)}` : `${at % 7}`);
  writeFiles(work, Object.fromEntries(Array.from({ length: 2_500 }, (_, at) => [`${deep(at)}/f${at}`, `${at}\n`])));
  chmodSync(join(work, 'm/ü/12/f1234'), 0o755);
  symlinkSync('12/f1234', join(work, 'm/ü/link'));
  const git = (...args: string[]) => execFileSync('git', ['--git-dir', origin.directory, '--work-tree', work, ...args]);
  git('add', '-A');
  git('-c', 'user.name=a', '-c', 'user.email=a@b', 'commit', '-q', '-m', 'many');
  return origin.git(['rev-parse', 'HEAD']) as CommitId;
}

async function deployed(store: Store, commitId: CommitId) {
  const spare = store.spare(join(base, 'root/spare'));
  await store.fetch({ url: origin.url, commitId }, NEVER);
  await spare.write(commitId, NEVER);
  await spare.verify(commitId, NEVER);
  return spare;
}

describe('an empty work tree', () => {
  it('is filled by several gits where the files are many, whatever the umask, and git takes it for its own', async () => {
    const commitId = manyFiles();
    const before = process.umask(0o077);
    onTestFinished(() => void process.umask(before));
    const store = await listening();
    const { directory } = await deployed(store, commitId);
    expect(ran.filter((command) => command === 'checkout-index')).toHaveLength(Math.min(2, availableParallelism()));
    expect(ran).not.toContain('checkout');
    expect(onDisk(directory)).toEqual(inCommit(origin.directory, commitId));
    const modes = execFileSync('find', [directory, '-type', 'd', '-printf', '%m\n'], { encoding: 'utf8' });
    expect(new Set(modes.trim().split('\n'))).toEqual(new Set(['755']));
    const git = (...args: string[]) => execFileSync('git', ['-C', directory, ...args], { encoding: 'utf8' });
    expect(git('status', '--porcelain', '--ignored')).toBe('');
    expect(git('ls-files', '--debug', 'm/ü/12/f1234')).toContain('size: 5');
    expect(git('write-tree').trim()).toBe(origin.git(['rev-parse', `${commitId}^{tree}`]));
  });

  it('has the directories that two gits would make before they start, since git refuses one made by another', async () => {
    const commitId = manyFiles();
    const [bin, seen] = [join(base, 'bin'), join(base, 'seen')];
    const script = `case "$*" in *checkout-index*) find ${base}/root/spare -type d >> ${seen};; esac\nexec git "$@"\n`;
    writeFiles(bin, { git: `#!/bin/sh\nPATH=/usr/local/bin:/usr/bin:/bin\n${script}` });
    chmodSync(join(bin, 'git'), 0o755);
    writeFileSync(seen, '');
    const store = await aStore(base, { path: `${bin}:/usr/local/bin:/usr/bin:/bin` });
    onTestFinished(() => store.close());
    await deployed(store, commitId);
    // With one core one git writes all of it.
    if (availableParallelism() > 1) expect(readFileSync(seen, 'utf8')).toMatch(/^.*spare\n(.*\n)?.*spare\/m\n/);
    expect(onDisk(join(base, 'root/spare'))).toEqual(inCommit(origin.directory, commitId));
  });

  it('is left to a checkout where a git left something else, and nothing of the parts stays', async () => {
    const admins = join(base, 'state/apps/shop/store.git/worktrees');
    const partOf = (admin: string) => join(admins, admin, 'gitfleet-part-0');
    const store = await listening((name) => {
      if (name === 'spare.parts-written') for (const admin of readdirSync(admins)) truncateSync(partOf(admin), 40);
    });
    const commitId = origin.commit({ a: '1', 'd/b': '2' });
    const { directory } = await deployed(store, commitId);
    expect(ran).toContain('checkout');
    expect(onDisk(directory)).toEqual(inCommit(origin.directory, commitId));
    for (const admin of readdirSync(admins)) expect(readdirSync(join(admins, admin)).join()).not.toContain('part');
  });

  it('is left to a checkout where a name is not UTF-8, at the first try and without a doubt about the store', async () => {
    const blob = origin.git(['hash-object', '-w', '--stdin'], 'x');
    const names = ['a', 'caf\u00e9.txt', 'z'];
    const tree = origin.git(
      ['mktree', '-z'],
      Buffer.from(names.map((name) => `100644 blob ${blob}\t${name}\0`).join(''), 'latin1'),
    );
    const commitId = origin.git(['commit-tree', tree, '-m', 'bytes']) as CommitId;
    origin.branch('main', commitId);
    const store = await listening();
    const { directory } = await deployed(store, commitId);
    expect(ran).toContain('checkout');
    expect(ran).not.toContain('fsck');
    const found = readdirSync(directory, { encoding: 'latin1' }).filter((name) => name !== '.git');
    expect(found.toSorted()).toEqual(names);
  });

  it('that was given up half-way is made good', async () => {
    const commitId = manyFiles();
    const store = await listening();
    await store.fetch({ url: origin.url, commitId }, NEVER);
    const spare = store.spare(join(base, 'root/spare'));
    for (const ms of [10, 30, 50]) {
      await store.removeWorkTree(spare.directory);
      const controller = new AbortController();
      setTimeout(() => controller.abort(new DOMException('newer target', 'AbortError')), ms);
      const thrown = await spare.write(commitId, controller.signal).catch((error: Error) => error.message);
      expect([undefined, 'newer target']).toContain(thrown);
      await spare.write(commitId, NEVER);
      await spare.verify(commitId, NEVER);
      expect(onDisk(spare.directory)).toEqual(inCommit(origin.directory, commitId));
      const admin = readFileSync(join(spare.directory, '.git'), 'utf8').trim().slice('gitdir: '.length);
      expect(readdirSync(admin).filter((name) => /part|lock/.test(name))).toEqual([]);
    }
  });
});

describe('what a commit contains', () => {
  const file = (path: string, mode = '100644'): TreeEntry => ({ mode, path, id: 'ab'.repeat(20), size: 1 });
  const commitId = 'cd'.repeat(20) as CommitId;

  it.each([
    ['a submodule', [file('a', '160000')]],
    ['a file mode of long ago', [file('a', '100664')]],
    ['a path that comes twice', [file('a'), file('a')]],
    ['a path out of order', [file('b'), file('a')]],
    ['a file that is a directory too', [file('a', '120000'), file('a-b'), file('a/b/c')]],
    ['a symlink that a disk which folds case takes for a directory', [file('A/b/c'), file('a/B', '120000')]],
    ['a symlink that git reads by itself', [file('.GitModules', '120000')]],
    ['a name that is not UTF-8', [file('caf\ufffd')]],
    ...['../a', 'a/../b', './a', '/a', 'a//b', 'a/', '', '.git/a', 'a/.GIT', 'a\\.git\\b'].map(
      (path): [string, TreeEntry[]] => [`the path ${JSON.stringify(path)}`, [file(path)]],
    ),
  ])('is left to git where there is %s', (_, entries) => {
    expect(contentsOf(entries, commitId)).toBe(null);
  });

  it('is known in every other case', () => {
    const entries = [
      file('.gitignore'),
      file('a'),
      file('b', '040000'),
      file('b/c', '100755'),
      file('b/d/e', '120000'),
      file('ü'),
    ];
    expect(contentsOf(entries, commitId)?.files.map(({ path }) => path)).toEqual([
      '.gitignore',
      'a',
      'b/c',
      'b/d/e',
      'Ã¼',
    ]);
    expect(contentsOf([], commitId)?.files).toEqual([]);
  });
});

describe('the parts of an index', () => {
  it.each([
    [0, 1],
    [1, 1],
    [7, 3],
    [8, 4],
    [2, 4],
  ])('of %d entries are %d, hold each entry once, and make the same index again', (entries, count) => {
    const files = Array.from({ length: entries }, (_, at) => ({
      mode: '100644',
      id: `${at}0`.repeat(20),
      size: at,
      path: `${at}${'x'.repeat(at)}`,
    }));
    const parts = partsOf(indexImage(files, 'sha1'), count, 'sha1');
    expect(parts.map(({ from, to }) => to - from).reduce((sum, each) => sum + each, 0)).toBe(entries);
    const made = parts.map((part) => part.file);
    const whole = partsOf(indexImage(files, 'sha1'), 1, 'sha1')[0]?.file;
    expect(joined(parts, made, 'sha1')).toEqual(whole);
    expect(joined(parts, [...made.slice(0, -1), Buffer.alloc(8)], 'sha1')).toBe(null);
    expect(joined(parts, made.slice(0, -1), 'sha1')).toBe(null);
  });
});
