import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  lutimesSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Store } from '../../../git/store.ts';
import type { CommitId } from '../../../schemas/values.ts';
import { createOrigin, type GitOrigin, temporaryDirectory } from '../../support/git/origin.ts';
import { aListeningStore, NEVER, release } from '../test-store.ts';

let base: string;
let remove: () => void;
let origin: GitOrigin;
let store: Store;
const ran: string[] = [];

beforeAll(() => {
  ({ path: base, remove } = temporaryDirectory('quick'));
  origin = createOrigin(join(base, 'origin.git'));
});
afterAll(() => remove());

/** Deploys a commit as an agent does, then makes the spare that follows it. */
async function deployed(commitId: CommitId, name: string): Promise<string> {
  await store.fetch({ url: origin.url, commitId }, NEVER);
  const directory = await release(store, base, commitId, name);
  const spare = store.spare(join(base, 'root/.gitfleet/shop/spare'));
  await spare.write(commitId, NEVER);
  await spare.verify(commitId, NEVER);
  return directory;
}

describe('an inspection after a deployment', () => {
  let first: CommitId;
  let second: CommitId;
  let directory: string;

  afterAll(() => store.close());
  beforeAll(async () => {
    store = await aListeningStore(base, (command) => ran.push(command));
    first = origin.commit({
      a: 'a\n',
      'd/b': 'b\n',
      'd/ü ü': 'c\n',
      tool: { run: '#!/bin/sh\n' },
      link: { link: 'a' },
    });
    second = origin.commit({ a: 'changed\n', 'd/new': 'new\n', 'd/b': null });
    await deployed(first, 'first');
    ran.length = 0;
    directory = await deployed(second, 'second');
  });

  it('starts no git, and neither does the list of the files of the next spare', async () => {
    expect(ran).not.toContain('ls-tree');
    ran.length = 0;
    const drift = await store.inspect(directory, second, NEVER);
    expect(drift).toEqual({ head: second, changed: [], missing: [], strangers: [] });
    expect(ran).toEqual([]);
  });

  it('leaves an index by which git finds the same', async () => {
    const git = (...args: string[]) => execFileSync('git', ['-C', directory, ...args], { encoding: 'utf8' });
    // Nothing is refreshed here: these are the times and sizes that were noted.
    expect(git('-c', 'core.checkStat=default', 'diff-files', '--name-only')).toBe('');
    expect(git('diff-index', '--cached', '--name-only', second)).toBe('');
    expect(git('ls-files', '-z').split('\0').filter(Boolean)).toEqual(['a', 'd/new', 'd/ü ü', 'link', 'tool']);
    expect(git('fsck', '--no-dangling')).toBe('');
  });

  const at = (name: string) => join(directory, name);
  const keepTimes = (name: string, change: () => void) => {
    const { atime, mtime } = statSync(at(name));
    change();
    utimesSync(at(name), atime, mtime);
  };
  /** From then on, sizes and times count, and not only bytes. */
  const age = () => {
    for (const name of ['a', 'd/new', 'd/ü ü', 'tool', 'link']) lutimesSync(at(name), 1_700_000_000, 1_700_000_000);
  };
  const instead = (name: string, make: (file: string) => unknown) => {
    unlinkSync(at(name));
    make(at(name));
  };
  const changes: readonly [what: string, change: () => void, found: Record<string, string[]>][] = [
    ['a file with other bytes', () => writeFileSync(at('a'), 'chang3d\n'), { changed: ['a'] }],
    [
      'other bytes, the times kept',
      () => keepTimes('a', () => writeFileSync(at('a'), 'chang3d\n')),
      { changed: ['a'] },
    ],
    ['a longer file', () => appendFileSync(at('d/new'), 'x'), { changed: ['d/new'] }],
    ['a file that may be run', () => chmodSync(at('a'), 0o755), { changed: ['a'] }],
    ['a program that may not', () => chmodSync(at('tool'), 0o644), { changed: ['tool'] }],
    ['a file less', () => unlinkSync(at('d/ü ü')), { missing: ['d/ü ü'] }],
    ['a file more', () => writeFileSync(at('d/more'), ''), { strangers: ['d/more'] }],
    ['an empty directory more', () => mkdirSync(at('more')), { strangers: ['more/'] }],
    ['a link elsewhere', () => instead('link', (file) => symlinkSync('tool', file)), { changed: ['link'] }],
    ['a link in place of a file', () => instead('a', (file) => symlinkSync('d/new', file)), { changed: ['a'] }],
    ['a pipe in place of a file', () => instead('a', (file) => execFileSync('mkfifo', [file])), { changed: ['a'] }],
  ];
  it.each(changes)('finds %s', async (_, change, found) => {
    change();
    const drift = await store.inspect(directory, second, NEVER);
    expect(drift).toEqual({ head: second, changed: [], missing: [], strangers: [], ...found });
    await store.restore(directory, second, NEVER, []);
    rmSync(at('more'), { recursive: true, force: true });
    age();
    expect((await store.inspect(directory, second, NEVER)).head).toBe(second);
    ran.length = 0;
    expect((await store.inspect(directory, second, NEVER)).changed).toEqual([]);
    expect(ran).toEqual([]);
  });

  it('dates the index so that git finds what changed in that second', async () => {
    writeFileSync(at('a'), 'changed\n');
    expect((await store.inspect(directory, second, NEVER)).changed).toEqual([]);
    keepTimes('a', () => writeFileSync(at('a'), 'chang3d\n'));
    expect(execFileSync('git', ['-C', directory, 'diff', '--name-only'], { encoding: 'utf8' })).toBe('a\n');
    await store.restore(directory, second, NEVER, []);
  });

  it('makes a damaged index again', async () => {
    const admin = readFileSync(at('.git'), 'utf8').trim().slice('gitdir: '.length);
    for (const damage of ['', 'DIRC', readFileSync(join(admin, 'index')).subarray(0, 100)]) {
      writeFileSync(join(admin, 'index'), damage);
      expect((await store.inspect(directory, second, NEVER)).head).toBe(second);
      expect(execFileSync('git', ['-C', directory, 'diff', '--name-only'], { encoding: 'utf8' })).toBe('');
    }
  });
});
