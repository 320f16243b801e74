import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Store } from '../../../git/store.ts';
import type { CommitId } from '../../../schemas/values.ts';
import { createOrigin, type GitOrigin, temporaryDirectory } from '../../support/git/origin.ts';
import { aStore, failureOf, NEVER, onDisk, release } from '../test-store.ts';

let base: string;
let remove: () => void;
let ours: GitOrigin;
let theirs: GitOrigin;
let commitId: CommitId;
let store: Store;

beforeEach(async () => {
  ({ path: base, remove } = temporaryDirectory('commit-origin'));
  ours = createOrigin(join(base, 'ours.git'));
  theirs = createOrigin(join(base, 'theirs.git'));
  commitId = ours.commit({ a: 'ours' });
  theirs.commit({ a: 'theirs' });
  store = await aStore(base);
  await store.fetch({ url: ours.url, commitId }, NEVER);
});
afterEach(() => {
  store.close();
  remove();
});

const give = (from: GitOrigin, to: GitOrigin) =>
  execFileSync('git', [`--git-dir=${to.directory}`, 'fetch', '-q', from.directory, `${commitId}:refs/heads/given`]);

describe('a commit that the store has from one repository', () => {
  it('is not there for another one: that one is asked, and believed', async () => {
    expect(await store.has(commitId, ours.url)).toBe(true);
    expect(await store.has(commitId, theirs.url)).toBe(false);
    const failure = await failureOf(store.fetch({ url: theirs.url, commitId }, NEVER));
    expect(failure).toMatchObject({ code: 'COMMIT_NOT_FOUND', next: 'retry' });
    expect(await store.has(commitId, theirs.url)).toBe(false);
    expect(await store.has(commitId, ours.url)).toBe(true);
    expect(onDisk(await release(store, base, commitId))).toEqual({ a: '644 ours' });
  });

  it('is not there either where the other one gives only what its refs show', async () => {
    store.close();
    // Without protocol 2 a server gives only what it lists.
    const bin = join(base, 'bin');
    mkdirSync(bin);
    const script = `#!/bin/sh
n=$#
while [ $n -gt 0 ]; do
  word=$1; shift; n=$((n - 1))
  [ "$word" = protocol.version=2 ] && word=protocol.version=0
  set -- "$@" "$word"
done
exec ${execFileSync('sh', ['-c', 'command -v git'], { encoding: 'utf8' }).trim()} "$@"
`;
    writeFileSync(join(bin, 'git'), script, { mode: 0o755 });
    store = await aStore(base, { path: `${bin}:${process.env['PATH']}` });
    const failure = await failureOf(store.fetch({ url: theirs.url, commitId, ref: 'main' }, NEVER));
    expect(failure.code).toBe('COMMIT_NOT_FOUND');
  });

  it('is there for both once both gave it, and one that is asked again is not asked a third time', async () => {
    give(ours, theirs);
    expect(await store.fetch({ url: theirs.url, commitId, ref: 'given' }, NEVER)).toEqual({ network: true });
    expect(await store.has(commitId, ours.url)).toBe(true);
    expect(await store.has(commitId, theirs.url)).toBe(true);
    rmSync(theirs.directory, { recursive: true });
    expect(await store.fetch({ url: theirs.url, commitId }, NEVER)).toEqual({ network: false });
  });

  it('is asked for again where the note of it is lost or damaged, and forgotten with its pin', async () => {
    const notes = join(store.directory, 'gitfleet-origins');
    writeFileSync(join(notes, commitId), 'x');
    expect(await store.has(commitId, ours.url)).toBe(false);
    expect(await store.fetch({ url: ours.url, commitId }, NEVER)).toEqual({ network: true });
    expect(await store.has(commitId, ours.url)).toBe(true);
    await store.unpin(commitId);
    expect(readdirSync(notes)).toEqual([]);
  });
});
