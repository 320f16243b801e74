import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { forPublisher } from '../../../git/host/publisher-hints.ts';
import { createRemote } from '../../../git/host/remote.ts';
import { gitFailure } from '../../../git/run/errors.ts';
import { systemClock } from '../../../runtime/clock.ts';
import type { CommitId } from '../../../schemas/values.ts';
import { createOrigin, type GitOrigin, temporaryDirectory } from '../../support/git/origin.ts';
import { failureOf, QUIET } from '../test-store.ts';

let base: string;
let remove: () => void;
let origin: GitOrigin;
let clone: string;
let [first, second, side]: CommitId[] = [];
// As in a hook: git's variables name another repository.
const env = { PATH: process.env['PATH'], HOME: '/dev/null', GIT_DIR: '/nowhere', GIT_INDEX_FILE: '/nowhere/index' };
const remote = createRemote({ clock: systemClock, log: QUIET, env });

beforeAll(() => {
  ({ path: base, remove } = temporaryDirectory('remote'));
  origin = createOrigin(join(base, 'origin.git'));
  first = origin.commit({ a: '1' }, { message: 'first' });
  second = origin.commit({ a: '2' }, { message: 'second: \u202ewith odd letters' });
  side = origin.commit({ b: '1' }, { branch: 'both', orphan: true });
  origin.git(['tag', '-a', '-m', 'release', 'v1', first]);
  origin.git(['tag', 'both', first]);
  clone = join(base, 'clone');
  execFileSync('git', ['clone', '-q', origin.url, clone]);
});
afterAll(() => remove());

describe('a publisher', () => {
  it('resolves branches, tags and ids in a clone and at a url', async () => {
    for (const where of [clone, origin.url]) {
      expect(await remote.resolveRef(where, 'HEAD')).toBe(second);
      expect(await remote.resolveRef(where, 'refs/tags/v1')).toBe(first);
      expect(await remote.resolveRef(where, 'v1')).toBe(first);
      for (const bad of ['nope', '--output=x', '', 'a b', '-h']) {
        expect((await failureOf(remote.resolveRef(where, bad))).code).toBe('NO_SUCH_REV');
      }
    }
    expect((await failureOf(remote.resolveRef(clone, 'deadbeef'))).message).toBe(
      `"deadbeef" names no commit in ${clone}`,
    );
    expect((await failureOf(remote.resolveRef(base, 'deadbeef'))).message).toContain(': fatal: not a git repository');
    expect(await remote.resolveRef(clone, second?.slice(0, 10) ?? '')).toBe(second);
    expect(await remote.resolveRef(origin.url, 'main')).toBe(second);
    expect(await remote.resolveRef(origin.url, 'refs/heads/both')).toBe(side);
    expect((await failureOf(remote.resolveRef(origin.url, 'both'))).code).toBe('AMBIGUOUS_REV');
    const git = (...words: string[]) => execFileSync('git', ['-C', clone, ...words], { stdio: 'pipe' });
    git('branch', 'both', side as string);
    expect((await failureOf(remote.resolveRef(clone, 'both'))).code).toBe('AMBIGUOUS_REV');
    expect(await remote.resolveRef(clone, 'refs/heads/both')).toBe(side);
    git('branch', '-f', 'both', first as string);
    expect(await remote.resolveRef(clone, 'both')).toBe(first);
    git('branch', '-D', 'both');
  });

  it('names a branch that contains a commit, and none where that is not known', async () => {
    expect(await remote.branchWith(clone, first as CommitId, 'main')).toBe('main');
    expect(await remote.branchWith(clone, first as CommitId, null)).toBe('main');
    expect(await remote.branchWith(clone, side as CommitId, 'both')).toBe('origin/both');
    expect(await remote.branchWith(clone, side as CommitId, 'origin/both')).toBe('origin/both');
    expect(await remote.branchWith(clone, side as CommitId, 'main')).toBe(null);
    expect(await remote.branchWith(clone, first as CommitId, 'v1')).toBe(null);
    expect(await remote.branchWith(clone, 'ab'.repeat(20) as CommitId, 'main')).toBe(null);
    expect(await remote.branchWith(base, first as CommitId, null)).toBe(null);
  });

  it('knows whether a server has a commit', async () => {
    expect(await remote.has(origin.url, second as CommitId)).toBe('tip');
    const lost = origin.commit({ lost: '1' }, { branch: 'lost' });
    origin.branch('lost', null);
    expect(await remote.has(origin.url, lost)).toBe('has');
    expect(await remote.has(origin.url, 'ab'.repeat(20) as CommitId)).toBe('absent');
    const nowhere = `file://${base}/nowhere` as typeof origin.url;
    expect((await failureOf(remote.has(nowhere, lost))).code).toBe('REPOSITORY_NOT_FOUND');
  });

  it('is told what helps where it types, and not what helps an agent', async () => {
    const vacant = 'http://127.0.0.1:1/shop.git';
    const failure = await failureOf(remote.resolveRef(vacant, 'main'));
    expect(failure.code).toBe('FETCH_FAILED');
    expect(failure.message).toMatch(/Failed to connect|Couldn't connect|Connection refused/);
    expect(failure.hint).toMatch(/^check that this machine reaches the git server, then run the command again/);
    for (const words of ['No space left on device', 'Authentication failed', 'Permission denied', 'nobody knows why'])
      expect(forPublisher(gitFailure('git', { stderr: `fatal: ${words}` }, 'FETCH_FAILED')).hint).not.toMatch(
        /agent|this server|settings|automatically/,
      );
  });

  it('infers the url of a clone, and says null where there is none', async () => {
    expect(await remote.inferUrl(clone)).toBe(origin.url);
    expect(await remote.inferUrl(origin.directory)).toBe(null);
  });

  it('infers a url that only the aliases of the user make, and keeps one that is complete', async () => {
    const aliased = join(base, 'aliased');
    execFileSync('git', ['clone', '-q', origin.url, aliased]);
    const config = (...words: string[]) => execFileSync('git', ['-C', aliased, 'config', ...words]);
    config('url.https://git.example.com/.insteadOf', 'work:');
    config('remote.origin.url', 'work:acme/shop.git');
    expect(await remote.inferUrl(aliased)).toBe('https://git.example.com/acme/shop.git');
    config('url.ssh://git@mine.example.com/.insteadOf', 'https://git.example.com/');
    config('remote.origin.url', 'https://git.example.com/acme/shop.git');
    expect(await remote.inferUrl(aliased)).toBe('https://git.example.com/acme/shop.git');
  });

  it('says that git refuses a clone of another user, and hears what the environment configures', async () => {
    const foreign = join(base, 'foreign');
    execFileSync('git', ['clone', '-q', origin.url, foreign]);
    // A git that takes every owner for another one, so that the test needs no second user.
    const bin = join(base, 'bin');
    mkdirSync(bin);
    const words = '#!/bin/sh\nPATH=`echo "$PATH" | cut -d: -f2-`\nGIT_TEST_ASSUME_DIFFERENT_OWNER=1 exec git "$@"\n';
    writeFileSync(join(bin, 'git'), words, { mode: 0o755 });
    const path = { ...env, PATH: `${bin}:${env.PATH}` };
    const asked = (more: Record<string, string> = {}) =>
      createRemote({ clock: systemClock, log: QUIET, env: { ...path, ...more } });
    const hint = expect.stringContaining(`safe.directory ${foreign}`);
    expect(await failureOf(asked().inferUrl(foreign))).toMatchObject({ code: 'CLONE_OWNER', hint });
    expect(await failureOf(asked().resolveRef(foreign, 'HEAD'))).toMatchObject({ code: 'CLONE_OWNER', hint });
    const count = { GIT_CONFIG_COUNT: '1', GIT_CONFIG_KEY_0: 'safe.directory', GIT_CONFIG_VALUE_0: '*' };
    const file = join(base, 'gitconfig');
    writeFileSync(file, '[safe]\n\tdirectory = *\n[credential]\n\thelper = store\n');
    for (const given of [count, { GIT_CONFIG_GLOBAL: file }]) {
      expect(await asked(given).inferUrl(foreign)).toBe(origin.url);
      expect(await asked(given).resolveRef(foreign, 'HEAD')).toBe(second);
      expect(await asked(given).title(foreign, first as CommitId)).toBe('first');
    }
  });

  it('lists what changed, safe to print', async () => {
    expect(await remote.graph(clone).titles(first as CommitId, second as CommitId)).toEqual([
      { commitId: second, title: 'second: \\u202ewith odd letters' },
    ]);
    expect(await remote.graph(clone).titles('ab'.repeat(20) as CommitId, second as CommitId)).toEqual([]);
  });

  it('tells which way a change goes, and admits where a cut history hides it', async () => {
    const [a, b, c] = [first, second, side] as CommitId[] as [CommitId, CommitId, CommitId];
    expect(await remote.graph(clone).compare(a, b)).toEqual({ ahead: 1, behind: 0 });
    expect(await remote.graph(clone).compare(b, a)).toEqual({ ahead: 0, behind: 1 });
    expect(await remote.graph(clone).compare(b, c)).toEqual({ ahead: 1, behind: 2 });
    expect(await remote.graph(clone).compare('ab'.repeat(20) as CommitId, b)).toBe(null);
    const shallow = join(base, 'shallow');
    execFileSync('git', ['clone', '-q', '--depth=1', '--no-single-branch', origin.url, shallow]);
    expect(await remote.graph(shallow).compare(b, c)).toBe(null);
    // What a commit contains is told where it is there, and a cut history tells it only of what it still shows.
    const nowhere = 'ab'.repeat(20) as CommitId;
    expect(await remote.graph(clone).containedIn(b, [c, a, nowhere, b])).toEqual([a, b]);
    expect(await remote.graph(clone).containedIn(a, [b])).toEqual([]);
    expect(await remote.graph(clone).containedIn(a, [nowhere])).toEqual([]);
    expect(await remote.graph(clone).containedIn(nowhere, [a])).toBe(null);
    expect(await remote.graph(clone).containedIn(nowhere, [nowhere])).toBe(null);
    expect(await remote.graph(shallow).containedIn(b, [a])).toBe(null);
    expect(await remote.graph(shallow).containedIn(b, [b])).toEqual([b]);
    expect(await remote.graph(base).containedIn(b, [a])).toBe(null);
  });
});
