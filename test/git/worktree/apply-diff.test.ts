import { chmodSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CONTENT_RULES } from '../../../git/objects/content.ts';
import { wayOf } from '../../../git/objects/difference.ts';
import type { DiffEntry } from '../../../git/objects/tree-diff.ts';
import type { Store } from '../../../git/store.ts';
import type { CommitId } from '../../../schemas/values.ts';
import { createOrigin, type Files, type GitOrigin, temporaryDirectory } from '../../support/git/origin.ts';
import { SEED } from '../../support/seeded.ts';
import { aStore, failureOf, inCommit, NEVER, onDisk } from '../test-store.ts';

let base: string;
let remove: () => void;
let origin: GitOrigin;
let store: Store;
let hits: string[];

beforeEach(async () => {
  ({ path: base, remove } = temporaryDirectory('diff'));
  origin = createOrigin(join(base, 'origin.git'));
  hits = [];
  store = await aStore(base, { failpoint: (name) => void hits.push(name) });
});
afterEach(() => {
  store.close();
  remove();
});

const spare = () => store.spare(join(base, 'root/spare'));

async function bring(commitId: CommitId): Promise<'diff' | 'checkout'> {
  await store.fetch({ url: origin.url, commitId }, NEVER);
  hits = [];
  await spare().write(commitId, NEVER);
  const way = hits.includes('spare.head-moved') ? 'diff' : 'checkout';
  await spare().verify(commitId, NEVER);
  expect(onDisk(spare().directory)).toEqual(inCommit(origin.directory, commitId));
  expect(await store.inspect(spare().directory, commitId, NEVER, { deep: true })).toEqual({
    head: commitId,
    changed: [],
    missing: [],
    strangers: [],
  });
  return way;
}

describe('the diff engine', () => {
  it('writes plain files that come, change and go, with their modes and directories', async () => {
    expect(await bring(origin.commit({ a: '1', 'd/b': '2', 'd/e/c': '3', run: { run: 'x' }, '--odd': '1' }))).toBe(
      'checkout',
    );
    const held = statSync(join(spare().directory, 'a')).ino;
    const steps: Files[] = [
      { a: '2' },
      { 'd/e/c': null, 'n/e/w': 'new', run: 'x', a: { run: '2' } },
      { 'd/b': null, '--odd': '2', 'ü ü/"x"': '4' },
      { a: 'changed', empty: '' },
    ];
    for (const step of steps) expect(await bring(origin.commit(step)), JSON.stringify(step)).toBe('diff');
    expect(statSync(join(spare().directory, 'a')).ino).not.toBe(held);
    expect(statSync(join(spare().directory, 'n')).mode & 0o777).toBe(0o755);
    expect(readdirSync(spare().directory)).not.toContain('d');
    expect(await bring(origin.commit({}))).toBe('diff');
  });

  it('leaves whatever is not plain to checkout, and comes back afterwards', async () => {
    await bring(origin.commit({ a: '1', f: 'file' }));
    const odd: Files[] = [
      { link: { link: 'a' } },
      { f: null, 'f/x': 'now a directory' },
      { link: null, 'f/x': null, f: 'a file again' },
      { '.gitattributes': '* text\n' },
      { A: 'upper', a: 'changed' },
      Object.fromEntries(Array.from({ length: 201 }, (_, at) => [`many/${at}`, `${at}`])),
    ];
    for (const step of odd) {
      expect(await bring(origin.commit(step)), JSON.stringify(step).slice(0, 80)).toBe('checkout');
      expect(await bring(origin.commit({ plain: JSON.stringify(step) }))).toBe('diff');
    }
  });

  it('refuses what content rules refuse, and leaves the proved spare as it was', async () => {
    const good = origin.commit({ a: '1' });
    await bring(good);
    const bad = origin.commit({ 'lib/sub': { module: 'ab'.repeat(20) } });
    await store.fetch({ url: origin.url, commitId: bad }, NEVER);
    expect((await failureOf(spare().write(bad, NEVER))).code).toBe('SUBMODULES');
    expect(await spare().proved()).toBe(good);
    const leaving = origin.commit({ 'lib/sub': null, up: { link: '../outside' } });
    await store.fetch({ url: origin.url, commitId: leaving }, NEVER);
    expect((await failureOf(spare().write(leaving, NEVER))).code).toBe('UNSAFE_TREE');
    expect(await spare().proved()).toBe(good);
  });

  it('lets git write symlinks into the proved tree, without a look at the rest, and reads them back', async () => {
    await bring(origin.commit({ a: '1', l: { link: 'a' } }));
    const next = origin.commit({ l: { link: 'b' }, b: '2' });
    await store.fetch({ url: origin.url, commitId: next }, NEVER);
    for (const damage of ['l', 'b']) {
      await spare().write(next, NEVER);
      rmSync(join(spare().directory, damage));
      symlinkSync('a', join(spare().directory, damage));
      expect((await failureOf(spare().verify(next, NEVER))).message).toContain(JSON.stringify(damage));
      expect(await spare().proved()).toBe(null);
      await store.fetch({ url: origin.url, commitId: next }, NEVER); // Acquits the store, which was suspected.
      await spare().write(next, NEVER);
      await spare().verify(next, NEVER);
      expect(onDisk(spare().directory)).toEqual(inCommit(origin.directory, next));
      await bring(origin.commit({ a: '1', l: { link: 'a' } }, { branch: 'back', orphan: true }));
    }
  });

  it('is not used on a spare that lost its proof, however it did', async () => {
    const first = origin.commit({ a: '1', b: '1' });
    await bring(first);
    const next = origin.commit({ a: '2' });
    await store.fetch({ url: origin.url, commitId: next }, NEVER);
    // Written by a process that died before it could say what it did.
    const died = store.spare(join(base, 'root/spare'));
    const aborted = new AbortController();
    const dying = await aStore(base, {
      failpoint: (name) => {
        if (name === 'spare.some-written') aborted.abort(new DOMException('dead', 'AbortError'));
        if (name === 'spare.all-written') throw new Error('dead');
      },
    });
    await expect(dying.spare(died.directory).write(next, aborted.signal)).rejects.toThrow('dead');
    expect(await spare().proved()).toBe(null);
    writeFileSync(join(spare().directory, 'b'), 'edited meanwhile');
    expect(await bring(next)).toBe('checkout');
  });

  it('proves what it wrote by reading it back; edits elsewhere are found by the inspection of the whole', async () => {
    await bring(origin.commit({ a: '1', b: '1', gone: '1' }));
    const next = origin.commit({ a: '2', gone: null });
    await store.fetch({ url: origin.url, commitId: next }, NEVER);
    const edit = (name: string, content: string) => () => writeFileSync(join(spare().directory, name), content);
    for (const damage of [edit('a', '3'), edit('gone', '1'), () => chmodSync(join(spare().directory, 'a'), 0o666)]) {
      await spare().write(next, NEVER);
      damage();
      expect((await failureOf(spare().verify(next, NEVER))).code).toBe('TREE_MISMATCH');
      await store.fetch({ url: origin.url, commitId: next }, NEVER); // Acquits the store, which was suspected.
      await spare().write(next, NEVER);
      await spare().verify(next, NEVER);
      await bring(origin.commit({ a: '1', b: '1', gone: '1' }, { branch: 'other' }));
    }
    await spare().write(next, NEVER);
    edit('b', '2')();
    await spare().verify(next, NEVER);
    expect(await store.inspect(spare().directory, next, NEVER)).toMatchObject({ changed: ['b'] });
  });

  it('takes over an old release for the next spare', async () => {
    const first = origin.commit({ a: '1', b: '1' });
    await bring(first);
    await spare().moveTo(join(base, 'root/releases/old'));
    writeFileSync(join(base, 'root/releases/old/written-by-the-app'), 'x');
    const next = origin.commit({ a: '2' });
    await spare().takeOver(join(base, 'root/releases/old'));
    expect(await spare().proved()).toBe(null);
    expect(await bring(next)).toBe('checkout');
    expect(await bring(origin.commit({ a: '3' }))).toBe('diff');
    await spare().takeOver(join(base, 'root/releases/none'));
    expect(readFileSync(join(spare().directory, 'a'), 'utf8')).toBe('3');
  });

  it('ends at the commit after any sequence of changes', async () => {
    const path = fc.constantFrom('a', 'b', 'd/a', 'd/e/a', 'd/e/b', 'x', 'x/y', 'x/y/z');
    const content = fc.oneof(
      { weight: 6, arbitrary: fc.string({ maxLength: 20 }) },
      { weight: 2, arbitrary: fc.string({ maxLength: 5 }).map((run) => ({ run })) },
      { weight: 1, arbitrary: fc.constant({ link: 'a' }) },
      { weight: 3, arbitrary: fc.constant(null) },
    );
    const change = fc.dictionary(path, content, { maxKeys: 4 });
    const ways: string[] = [];
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 5 }), async (changes) => {
        for (const files of changes)
          ways.push(await bring(origin.commit(withoutClashes(files), { orphan: ways.length % 7 === 0 })));
      }),
      { seed: SEED, numRuns: 12 },
    );
    expect(new Set(ways)).toEqual(new Set(['diff', 'checkout']));
  });
});

/** A tree cannot hold `x` and `x/y`: whichever is named last stays, and takes the place of the others. */
function withoutClashes(files: Files): Files {
  const result: Files = {};
  for (const [path, content] of Object.entries(files)) {
    if (content !== null) {
      for (const other of ['a', 'b', 'd/a', 'd/e/a', 'd/e/b', 'x', 'x/y', 'x/y/z']) {
        if (other.startsWith(`${path}/`) || path.startsWith(`${other}/`)) result[other] = null;
      }
    }
    delete result[path];
    result[path] = content;
  }
  return result;
}

describe('the guards of the diff engine', () => {
  const entry = (path: string, status: DiffEntry['status'] = 'M', mode = '100644'): DiffEntry => ({
    path,
    status,
    from: { mode: status === 'A' ? '000000' : mode, id: '1' },
    to: { mode: status === 'D' ? '000000' : mode, id: '2' },
  });

  it('let plain files pass, leave symlinks to git, and anything else to a look at all', () => {
    const way = (diff: DiffEntry[]) => wayOf(diff, CONTENT_RULES).by;
    expect(way([])).toBe('us');
    expect(way([entry('a'), entry('b/c', 'A', '100755'), entry('b/d', 'D')])).toBe('us');
    for (const link of [entry('a', 'A', '120000'), entry('a', 'D', '120000'), entry('a', 'T', '120000')]) {
      expect(way([entry('b'), link]), JSON.stringify(link)).toBe('git');
    }
    for (const odd of [
      [entry('a', 'M', '160000')],
      [entry('l', 'A', '120000'), entry('a', 'D'), entry('a/b/c', 'A')],
      [entry('a'), entry('A', 'A')],
      [entry('x/.gitattributes')],
      [entry('a\ufffd')],
      [entry('.git/config')],
      [entry('../a', 'A')],
    ]) {
      expect(way(odd), JSON.stringify(odd)).toBe('git after a look at all');
    }
  });
});
