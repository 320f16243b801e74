import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { sawBranch } from '../../../git/host/seen-branch.ts';
import { systemClock } from '../../../runtime/clock.ts';
import type { CommitId } from '../../../schemas/values.ts';
import { createOrigin, temporaryDirectory } from '../../support/git/origin.ts';

let base: string;
let remove: () => void;
let clone: string;
beforeAll(() => {
  ({ path: base, remove } = temporaryDirectory('seen'));
  const origin = createOrigin(join(base, 'origin.git'));
  origin.commit({ a: '1' });
  clone = join(base, 'clone');
  execFileSync('git', ['clone', '-q', origin.url, clone]);
});
afterAll(() => remove());

const git = (...args: string[]) =>
  execFileSync('git', ['-C', clone, '-c', 'user.name=A', '-c', 'user.email=a@b', ...args], { stdio: 'pipe' })
    .toString()
    .trim() as CommitId;
const commit = (content: string) => {
  writeFileSync(join(clone, 'a'), content);
  git('commit', '-qam', content);
  return git('rev-parse', 'HEAD');
};
const say = async (args: readonly string[]) => {
  const said = spawnSync('git', ['-C', clone, ...args], { encoding: 'utf8' });
  return said.status === 0 ? said.stdout.trim() : '';
};
const MINUTE = 60_000;
const saw = (id: CommitId, laterMs = 0, name = 'origin') => sawBranch(say, name, id, systemClock.now() + laterMs);

it('a clone has seen what it pushed or fetched within ten minutes, as the tip of a branch', async () => {
  const pushed = commit('pushed');
  expect(await saw(pushed)).toBe(false);
  git('push', '-q', 'origin', 'HEAD:main');
  expect(await saw(pushed)).toBe(true);
  expect(await saw(pushed, 9 * MINUTE)).toBe(true);
  expect(await saw(pushed, 11 * MINUTE)).toBe(false);
  expect(await saw(pushed, -11 * MINUTE)).toBe(false);
  expect(await saw(pushed, 0, 'other')).toBe(false);
  const below = pushed;
  git('push', '-q', 'origin', `${commit('second')}:refs/heads/main`);
  expect(await saw(below)).toBe(false);
  git('update-ref', '-d', 'refs/remotes/origin/main');
  git('fetch', '-q', 'origin');
  expect(await saw(git('rev-parse', 'HEAD'))).toBe(true);
  expect(await saw('f'.repeat(40) as CommitId)).toBe(false);
});

it('a branch that was set by hand, or is pushed to another place, proves nothing', async () => {
  const here = commit('only here');
  git('update-ref', '--create-reflog', 'refs/remotes/origin/made', here);
  expect(await saw(here)).toBe(false);
  git('push', '-q', 'origin', 'HEAD:main');
  expect(await saw(here)).toBe(true);
  git('config', 'remote.origin.pushurl', '/elsewhere');
  expect(await saw(here)).toBe(false);
  git('config', '--unset', 'remote.origin.pushurl');
  git('config', 'url./elsewhere.pushInsteadOf', 'file:');
  expect(await saw(here)).toBe(false);
});
