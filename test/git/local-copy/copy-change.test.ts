import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  lchownSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { StoreOptions } from '../../../git/open-store.ts';
import type { Store } from '../../../git/store.ts';
import type { CommitId, RepositoryUrl } from '../../../schemas/values.ts';
import { createOrigin, type Files, type GitOrigin, temporaryDirectory } from '../../support/git/origin.ts';
import { SEED, SOAK, seeded } from '../../support/seeded.ts';
import { aListeningStore, failureOf, inCommit, NEVER, onDisk } from '../test-store.ts';

/** Commits of random changes, one after the other (npm run soak:git). */
const ROUNDS = SOAK ? 300 : 16;

let base: string;
let remove: () => void;
let origin: GitOrigin;
let store: Store;
let ran: string[];

beforeEach(() => start('sha1'));
afterEach(() => {
  store.close();
  remove();
});

async function start(format: 'sha1' | 'sha256', options: Partial<StoreOptions> = {}) {
  ({ path: base, remove } = temporaryDirectory('copy'));
  origin = createOrigin(join(base, 'origin.git'), { format });
  ran = [];
  store = await aListeningStore(base, (command) => void ran.push(command), options);
}

async function startAnew(format: 'sha1' | 'sha256', options: Partial<StoreOptions> = {}) {
  store.close();
  remove();
  await start(format, options);
}

/** Deploys it into the spare, and holds the result against the commit. */
async function bring(commitId: CommitId): Promise<'copied' | 'by git'> {
  const way = await bringOnly(commitId);
  expect(onDisk(join(base, 'root/spare'))).toEqual(inCommit(origin.directory, commitId));
  return way;
}

async function bringOnly(commitId: CommitId): Promise<'copied' | 'by git'> {
  ran = [];
  await store.fetch({ url: origin.url, commitId }, NEVER);
  const way = ran.includes('fetch') ? 'by git' : 'copied';
  const spare = store.spare(join(base, 'root/spare'));
  await spare.write(commitId, NEVER);
  await spare.verify(commitId, NEVER);
  return way;
}

const inStore = (...args: string[]) =>
  execFileSync('git', [`--git-dir=${store.directory}`, ...args], { encoding: 'utf8' });
const objectFile = (id: string) => join(origin.directory, 'objects', id.slice(0, 2), id.slice(2));
const blobAt = (commitId: CommitId, path: string) => origin.git(['rev-parse', `${commitId}:${path}`]);
const FIRST: Files = { a: '1', 'd/b': '2', 'd/e/c': '3', run: { run: 'x' } };

describe('a small change in an origin that is a directory of ours', () => {
  it.each(['sha1', 'sha256'] as const)('is copied without a process, with %s', async (format) => {
    await startAnew(format);
    expect(await bring(origin.commit(FIRST))).toBe('by git');
    const steps: Files[] = [
      { a: '2' },
      { 'd/e/c': null, 'n/e/w': 'new', a: { run: '2' } },
      { 'd/b': null, empty: '' },
      {},
    ];
    for (const step of steps) {
      const commitId = origin.commit(step);
      expect(await bring(commitId), JSON.stringify(step)).toBe('copied');
      expect(readFileSync(join(store.directory, 'shallow'), 'utf8').split('\n')).toContain(commitId);
      expect(inStore('rev-parse', `refs/pins/${commitId}`).trim()).toBe(commitId);
      inStore('fsck', '--full', '--strict', '--no-dangling');
    }
    // No loose object: git reads all of them out of packs.
    expect(inStore('count-objects')).toBe('0 objects, 0 kilobytes\n');
  });

  it('is copied also where it goes back to what was there before, or has no history', async () => {
    const first = origin.commit(FIRST);
    await bring(first);
    await bring(origin.commit({ a: '2' }));
    expect(await bring(origin.commit({ a: '1' }))).toBe('copied');
    const root = origin.commit({ a: 'alone' }, { orphan: true, branch: 'other' });
    expect(await bring(root)).toBe('copied');
    inStore('fsck', '--full', '--strict', '--no-dangling');
    // What was pinned is not asked for again.
    expect(await bring(first)).toBe('copied');
  });

  it('is copied although an earlier one was killed half-way', async () => {
    await bring(origin.commit(FIRST));
    const commitId = origin.commit({ a: '2' });
    const left = ['shallow.lock', `refs/pins/${commitId}.lock`, 'objects/pack/tmp_pack_gitfleet'];
    for (const name of left) writeFileSync(join(store.directory, name), 'left');
    expect(await bring(commitId)).toBe('copied');
    for (const name of left) expect(existsSync(join(store.directory, name)), name).toBe(false);
    inStore('fsck', '--full', '--strict', '--no-dangling');
  });

  it('is copied as git would fetch it, whatever comes, changes and goes', { timeout: 120_000 }, async () => {
    const draw = seeded(SEED);
    const names = ['a', 'a.b', 'a-b', 'ab', 'b', 'c1', 'd', 'x_y', 'z (1)'];
    const files: Files = { a: 'first' };
    let copied = 0;
    await bring(origin.commit(files));
    for (let round = 0; round < ROUNDS; round++) {
      const step: Files = {};
      for (let change = 0; change <= draw.below(5); change++) {
        const depth = draw.below(4);
        const path = [...Array.from({ length: depth }, () => `${draw.pick(names)}_`), draw.pick(names)].join('/');
        const kinds = [null, `${draw.next()}`, { run: `${draw.below(3)}` }, 'x'.repeat(draw.below(70_000))];
        step[path] = draw.pick(kinds);
      }
      // Now and then the origin packs what it has.
      if (draw.often(0.1)) origin.git(['gc', '--quiet']);
      const commitId = origin.commit(step);
      if ((await bring(commitId)) === 'copied') copied++;
      if (round % 8 === 0) inStore('fsck', '--full', '--strict', '--no-dangling');
    }
    inStore('fsck', '--full', '--strict', '--no-dangling');
    expect(copied, `seed ${SEED}`).toBeGreaterThan(ROUNDS / 2);
  });
});

describe('what is not plain', () => {
  beforeEach(async () => {
    await bring(origin.commit({ ...FIRST, f: 'file' }));
    expect(await bring(origin.commit({ plain: 'is copied' }))).toBe('copied');
  });

  it.each<[string, Files]>([
    ['a symlink', { link: { link: 'a' } }],
    ['attributes', { '.gitattributes': '* text\n' }],
    ['a name that means something to git', { '.gitignore': 'x\n' }],
    ['a name beyond ASCII', { ü: 'x' }],
    ['a file that becomes a directory', { f: null, 'f/x': '1' }],
    ['more than 256 KiB', { large: 'x'.repeat(256 * 1024 + 1) }],
    ['more than 200 files', Object.fromEntries(Array.from({ length: 201 }, (_, at) => [`many/${at}`, `${at}`]))],
  ])('is left to git: %s', async (_, files) => {
    expect(await bring(origin.commit(files))).toBe('by git');
    expect(await bring(origin.commit({ plain: 'again' }))).toBe('copied');
  });

  it('is left to git: an origin that has packed its objects', async () => {
    const commitId = origin.commit({ a: 'packed' });
    origin.git(['gc', '--quiet']);
    expect(await bring(commitId)).toBe('by git');
  });

  it('is left to git: a url that has to be decoded', async () => {
    const [literal, decoded] = ['other%20origin.git', 'other origin.git'].map((name) => createOrigin(join(base, name)));
    for (const each of [literal, decoded])
      each?.git(['fetch', '--quiet', origin.directory, '+refs/heads/*:refs/heads/*']);
    const commitId = literal?.commit({ a: 'more' }) as CommitId;
    const failure = await failureOf(store.fetch({ url: literal?.url as RepositoryUrl, commitId }, NEVER));
    expect(failure.code).toBe('COMMIT_NOT_FOUND');
  });

  it.runIf(process.getuid?.() === 0)('is left to git: the directory of another user, which git refuses', async () => {
    const commitId = origin.commit({ a: 'more' });
    lchownSync(origin.directory, 12_345, 12_345);
    const failure = await failureOf(store.fetch({ url: origin.url, commitId }, NEVER));
    expect(failure.message).toContain('dubious ownership');
  });

  it('is left to git: a commit beside which the store has no whole one', async () => {
    const pins = inStore('for-each-ref', '--format=%(refname)', 'refs/pins/').trim().split('\n');
    for (const pin of pins) inStore('update-ref', '-d', pin);
    expect(await bring(origin.commit({ a: 'more' }))).toBe('by git');
  });

  it('stays refused: protocols that the settings do not allow', async () => {
    const strict = await aListeningStore(base, () => {}, { allowProtocols: ['https'] });
    expect(await strict.spare(join(base, 'root/spare')).proved()).not.toBeNull(); // There is something to copy beside.
    const wanted = { url: origin.url, commitId: origin.commit({ a: 'more' }) };
    expect(await failureOf(strict.fetch(wanted, NEVER))).toMatchObject({ code: 'PROTOCOL_REFUSED' });
    expect(await strict.has(wanted.commitId, wanted.url)).toBe(false);
    strict.close();
  });
});

it('is never more than the agent may fetch', async () => {
  await startAnew('sha1', { limits: { maxBytes: 2_000 } });
  await bring(origin.commit({ a: '1' }));
  const commitId = origin.commit({ a: randomBytes(4_000) });
  expect(await failureOf(store.fetch({ url: origin.url, commitId }, NEVER))).toMatchObject({ code: 'TOO_LARGE' });
});

describe('what git would refuse, or read otherwise', () => {
  const WHO = 'A <a@example.com> 1700000000 +0000';
  let files: Map<string, [mode: string, id: string]>;

  beforeEach(async () => {
    const first = origin.commit({ a: '1', b: '2' });
    await bring(first);
    files = new Map(['a', 'b'].map((name) => [name, ['100644', blobAt(first, name)]]));
    files.set('a', ['100644', origin.git(['hash-object', '-w', '--stdin'], 'new')]);
  });

  /** With the bytes of names as latin1; in the order of git. */
  function tree(): string {
    const key = (name: string) => (files.get(name)?.[0] === '40000' ? `${name}/` : name);
    const names = [...files.keys()].toSorted((x, y) => (key(x) < key(y) ? -1 : 1));
    const entries = names.map((name) => {
      const [mode, id] = files.get(name) as [string, string];
      return Buffer.concat([Buffer.from(`${mode} ${name}\0`, 'latin1'), Buffer.from(id, 'hex')]);
    });
    const bytes = Buffer.concat(entries);
    return origin.git(['hash-object', '-t', 'tree', '-w', '--literally', '--stdin'], bytes);
  }

  const commit = (text: string) =>
    origin.git(['hash-object', '-t', 'commit', '-w', '--literally', '--stdin'], text) as CommitId;
  const plain = (root: string) => commit(`tree ${root}\nauthor ${WHO}\ncommitter ${WHO}\n\nx\n`);

  it('is copied where it is plain: the other rows differ from it by one thing', async () => {
    expect(await bring(plain(tree()))).toBe('copied');
  });

  it.each([
    ['a parent of any length', (root: string) => `tree ${root}\nparent abc\nauthor ${WHO}\ncommitter ${WHO}\n\nx\n`],
    ['a head without end', (root: string) => `tree ${root}\nauthor ${WHO}\ncommitter ${WHO}\ngpgsig abc`],
  ])('is refused by git: %s', async (_, text) => {
    const failure = await failureOf(bring(commit(text(tree()))));
    // Where the origin's git cannot read it either, it says that there is no such commit.
    expect(['BAD_OBJECTS', 'COMMIT_NOT_FOUND']).toContain(failure.code);
    inStore('fsck', '--full', '--strict', '--no-dangling');
  });

  it.each(['.git', '..', 'GIT~1', 'empty'])('is looked at by git: a directory %j in which nothing is', async (name) => {
    files.set(name, ['40000', origin.git(['hash-object', '-t', 'tree', '--stdin'], '')]);
    const outcome = await bring(plain(tree())).catch((error: { code: string }) => error.code);
    expect(outcome).toBe(name === 'empty' ? 'by git' : 'BAD_OBJECTS');
    inStore('fsck', '--full', '--strict', '--no-dangling');
  });

  it('is looked at by git: a commit in which nothing is', async () => {
    const empty = plain(origin.git(['hash-object', '-t', 'tree', '--stdin'], ''));
    expect(await bring(empty)).toBe('by git');
    inStore('fsck', '--full', '--strict', '--no-dangling');
  });

  it('is brought whole: names that are no UTF-8, and would be one name if they were read so', async () => {
    const blob = (text: string) => origin.git(['hash-object', '-w', '--stdin'], text);
    files.set('caf\xe8', ['100644', blob('one')]);
    files.set('caf\xe9', ['100644', blob('two')]);
    const first = plain(tree());
    expect(await bringOnly(first)).toBe('by git');
    files.set('caf\xe8', ['100644', blob('changed')]);
    const second = plain(tree());
    expect(await bringOnly(second)).toBe('by git');
    const spare = store.spare(join(base, 'root/spare')).directory;
    const read = (name: string) =>
      readFileSync(Buffer.concat([Buffer.from(`${spare}/`), Buffer.from(name, 'latin1')]), 'utf8');
    expect([read('caf\xe8'), read('caf\xe9'), read('a')]).toEqual(['changed', 'two', 'new']);
    inStore('rev-list', '--objects', second);
  });
});

describe('an origin that is damaged, or lies', () => {
  let commitId: CommitId;
  let blob: string;

  beforeEach(async () => {
    await bring(origin.commit(FIRST));
    commitId = origin.commit({ a: 'the right content', 'd/b': 'other' });
    blob = blobAt(commitId, 'a');
    chmodSync(join(objectFile(blob)), 0o644);
  });

  const objectOf = (text: string) => deflateSync(Buffer.from(`blob ${text.length}\0${text}`));
  const damages: [string, (file: string) => void][] = [
    ['an object that is not there', (file) => rmSync(file)],
    ['an object that says something else', (file) => writeFileSync(file, objectOf('evil'))],
    ['an object that is cut off', (file) => writeFileSync(file, readFileSync(file).subarray(0, 10))],
    ['an object with a wrong size', (file) => writeFileSync(file, deflateSync('blob 3\0the right content'))],
    ['an object that is nothing of the kind', (file) => writeFileSync(file, 'x')],
    [
      'an object that unpacks to more than anybody wants',
      (file) => writeFileSync(file, deflateSync('x'.repeat(1 << 26))),
    ],
  ];
  it.each(damages)('is asked by git, which says so: %s', async (_, damage) => {
    damage(objectFile(blob));
    ran = [];
    const failure = await failureOf(store.fetch({ url: origin.url, commitId }, NEVER));
    expect(ran).toContain('fetch');
    expect(failure.code).not.toBe('STORE_BROKEN');
    expect(await store.has(commitId, origin.url)).toBe(false);
    inStore('fsck', '--full', '--strict', '--no-dangling');
    // The store is in no doubt, and the next commit comes.
    expect(await bring(origin.commit({ a: 'mended', 'd/b': 'mended' }))).toBe('copied');
  });

  it('keeps nobody waiting at a pipe, and is followed through no link', async () => {
    const file = objectFile(blob);
    renameSync(file, `${file}.aside`);
    execFileSync('mkfifo', [file]);
    const reading = store.fetch({ url: origin.url, commitId }, AbortSignal.timeout(3_000));
    await expect(reading).rejects.toThrow();
    expect(ran).toContain('fetch');
    rmSync(file);
    symlinkSync(`${file}.aside`, file);
    expect(await bring(commitId)).toBe('by git');
  });

  it('leaves nothing where the pack cannot be written, and the next try brings it', async () => {
    // In the way of a file of ours; what sweeps up after a failure takes it away.
    mkdirSync(join(store.directory, 'objects/pack/tmp_idx_gitfleet/x'), { recursive: true });
    await expect(store.fetch({ url: origin.url, commitId }, NEVER)).rejects.toThrow();
    expect(await store.has(commitId, origin.url)).toBe(false);
    expect(await bring(commitId)).toBe('copied');
  });
});
