import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Store } from '../../../git/store.ts';
import type { CommitId } from '../../../schemas/values.ts';
import { createOrigin, type GitOrigin, temporaryDirectory } from '../../support/git/origin.ts';
import { aStore, NEVER, onDisk, release } from '../test-store.ts';

/** What is only to be thrown away never decides: an old release or spare that cannot be deleted stops nothing. */
const ROOT = process.geteuid?.() === 0;
const USER = 65_534;

let base: string;
let remove: () => void;
let origin: GitOrigin;
let commits: CommitId[];
let store: Store;

beforeEach(async () => {
  ({ path: base, remove } = temporaryDirectory('undeletable'));
  chmodSync(base, 0o755);
  origin = createOrigin(join(base, 'origin.git'));
  commits = Array.from({ length: 5 }, (_, n) => origin.commit({ a: `${n}`, 'd/b': 'b' }));
  if (ROOT) {
    chownSync(base, USER, USER);
    process.setegid?.(USER);
    process.seteuid?.(USER); // Root may delete everything.
  }
  store = await aStore(base);
});
afterEach(() => {
  store.close();
  if (ROOT) process.seteuid?.(0);
  if (ROOT) process.setegid?.(0);
  remove();
});

function asRoot(work: () => void): void {
  process.seteuid?.(0);
  try {
    work();
  } finally {
    process.seteuid?.(USER);
  }
}

async function deploy(n: number): Promise<string> {
  const commitId = commits[n] as CommitId;
  await store.fetch({ url: origin.url, commitId }, NEVER);
  const directory = await release(store, base, commitId);
  expect(onDisk(directory)).toEqual({ a: `644 ${n}`, 'd/b': '644 b' });
  return directory;
}

const spare = () => store.spare(join(base, 'root/.gitfleet/shop/spare'));

/** As Go's module cache does: neither the directory nor what lies in it may be changed. */
function build(directory: string): void {
  const made = join(directory, 'cache/module@v1');
  mkdirSync(made, { recursive: true });
  writeFileSync(join(made, 'go.mod'), 'module m\n', { mode: 0o444 });
  chmodSync(made, 0o555);
  chmodSync(join(directory, 'cache'), 0o555);
}

function foreign(directory: string): void {
  asRoot(() => {
    mkdirSync(join(directory, 'root-only'), { mode: 0o755 });
    writeFileSync(join(directory, 'root-only/file'), 'not ours\n');
  });
}

describe('read-only directories that a build left', () => {
  it('go with their release, and with a spare that is written again', async () => {
    const [first, second] = [await deploy(0), await deploy(1)];
    build(first);
    build(second);
    await store.removeWorkTree(first);
    expect(existsSync(first)).toBe(false);
    await spare().takeOver(second);
    await deploy(2);
    expect(readdirSync(join(base, 'root/.gitfleet/shop'))).toEqual(['releases']);
    expect(await store.undeletable()).toEqual([]);
  });

  it('stop no start, whatever step of their removal a crash met', async () => {
    const first = await deploy(0);
    build(first);
    store.close();
    for (const step of ['remove.marked', 'remove.renamed', 'remove.deleted'] as const) {
      const dying = await aStore(base, {
        failpoint: (name) => {
          if (name === step) throw new Error('dead');
        },
      });
      await dying.removeWorkTree(first).catch(() => {});
      dying.close();
      store = await aStore(base);
    }
    expect(readdirSync(join(base, 'root/.gitfleet/shop/releases'))).toEqual([]);
    await deploy(1);
  });
});

describe.runIf(ROOT)('files of another user in an old release', () => {
  it('are set aside and named; every deployment and start after it succeeds; once they can go, they go', async () => {
    const [first, second] = [await deploy(0), await deploy(1)];
    foreign(first);
    foreign(second);
    await store.removeWorkTree(first);
    expect(existsSync(first)).toBe(false);
    await spare().takeOver(second);
    await deploy(2);
    await spare().takeOver(await deploy(3));
    await spare().write(commits[3] as CommitId, NEVER);
    await spare().verify(commits[3] as CommitId, NEVER);
    const aside = await store.undeletable();
    expect(aside.map((path) => path.replace(/-[^-]*$/, ''))).toEqual(
      expect.arrayContaining([expect.stringContaining('.undeletable-'), expect.stringContaining('.undeletable-')]),
    );
    expect(aside.length).toBe(2);
    store.close();
    store = await aStore(base);
    await deploy(4);
    expect(await store.undeletable()).toEqual(aside);
    asRoot(() => {
      for (const path of aside) chownSync(join(path, 'root-only'), USER, USER);
    });
    expect(await store.undeletable()).toEqual([]);
    expect(readdirSync(join(base, 'root/.gitfleet/shop'))).toEqual(['releases']);
  });
});
