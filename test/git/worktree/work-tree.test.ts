import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Store } from '../../../git/store.ts';
import { findWorkTree } from '../../../git/worktree/work-tree.ts';
import type { CommitId, RepositoryUrl } from '../../../schemas/values.ts';
import { createOrigin, temporaryDirectory } from '../../support/git/origin.ts';
import { aStore, inCommit, NEVER, onDisk, release } from '../test-store.ts';

let base: string;
let remove: () => void;
let store: Store;
let commitId: CommitId;
let directory: string;
let kept: string;
let origin: string;

const storeDirectory = () => join(base, 'state/apps/shop/store.git');
const worktrees = () => join(storeDirectory(), 'worktrees');
const point = (to: string) => writeFileSync(join(directory, '.git'), `gitdir: ${to}\n`);
const adminOf = (of: string) => readFileSync(join(of, '.git'), 'utf8').slice('gitdir: '.length).trim();

beforeEach(async () => {
  ({ path: base, remove } = temporaryDirectory('work-tree'));
  const made = createOrigin(join(base, 'origin.git'));
  origin = made.directory;
  commitId = made.commit({ a: 'one' });
  store = await aStore(base);
  await store.fetch({ url: made.url, commitId }, NEVER);
  directory = await release(store, base, commitId, 'r1');
  kept = await release(store, base, commitId, 'r2');
});
afterEach(() => {
  store.close();
  remove();
});

/** What a `.git` may say that names something below worktrees/ and no admin directory of ours, to the letter. */
const odd: readonly (readonly [string, () => string])[] = [
  ['the store itself', () => `${worktrees()}/..`],
  ['the directory of all', () => `${worktrees()}/.`],
  ['the directory of all, with a slash', () => `${worktrees()}/`],
  ['a way up and down again', () => `${worktrees()}/../worktrees/..`],
  ['something that is not there', () => `${worktrees()}/nobody`],
  ['a directory elsewhere', () => join(base, 'root')],
];

describe('a release whose .git was rewritten', () => {
  it.each(odd)('to name %s is nobody’s, and goes alone when it is removed', async (_, named) => {
    const before = [readdirSync(storeDirectory()).toSorted(), readdirSync(worktrees()).toSorted()];
    point(named());
    expect(await findWorkTree({ directory: storeDirectory() }, directory)).toBe(null);
    await store.removeWorkTree(directory);
    expect(readdirSync(join(base, 'root/.gitfleet/shop/releases'))).toEqual(['r2']);
    expect([readdirSync(storeDirectory()).toSorted(), readdirSync(worktrees()).toSorted()]).toEqual(before);
    expect(await store.has(commitId, `file://${origin}` as RepositoryUrl)).toBe(true);
    expect(await store.inspect(kept, commitId, NEVER)).toMatchObject({ head: commitId, changed: [], missing: [] });
    expect(onDisk(kept)).toEqual(inCommit(origin, commitId));
  });

  it.each(['/', '//'])('with %s behind the name of its own is found by that name', async (slash) => {
    const admin = adminOf(directory);
    point(`${admin}${slash}`);
    expect(await findWorkTree({ directory: storeDirectory() }, directory)).toEqual({ directory, admin });
    store.close();
    store = await aStore(base); // Start-up forgets pairs that do not agree.
    expect(readdirSync(worktrees())).toHaveLength(2);
  });

  it('by way of a link beside it is found by its own name', async () => {
    const admin = adminOf(directory);
    symlinkSync(admin, join(worktrees(), 'link'));
    point(join(worktrees(), 'link'));
    expect(await findWorkTree({ directory: storeDirectory() }, directory)).toEqual({ directory, admin });
  });

  it('to name a directory that points elsewhere is nobody’s', async () => {
    mkdirSync(join(worktrees(), 'other'));
    writeFileSync(join(worktrees(), 'other', 'gitdir'), `${join(base, 'elsewhere', '.git')}\n`);
    point(join(worktrees(), 'other'));
    expect(await findWorkTree({ directory: storeDirectory() }, directory)).toBe(null);
  });
});
