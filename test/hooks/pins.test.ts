import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gitOfHooks } from '../../cli/hook/environment.ts';
import { makePins, readPins, removePins, stalePinLock } from '../../git/host/deployment-pins.ts';
import { comparePins } from '../../hooks/pins.ts';
import { createOrigin, type GitOrigin } from '../support/git/origin.ts';

describe('which deployments are pinned', () => {
  const pins = (...numbers: number[]) => numbers.map((number) => ({ number, commitId: 'c'.repeat(40) }));

  it('the newest 200, of which what is missing is made and what is older goes', () => {
    expect(comparePins([], 1)).toEqual({ missing: [1], outdated: [] });
    expect(comparePins(pins(1, 3), 4)).toEqual({ missing: [2, 4], outdated: [] });
    const full = pins(...Array.from({ length: 200 }, (_, at) => at + 1));
    expect(comparePins(full, 201)).toEqual({ missing: [201], outdated: [1] });
    expect(comparePins(full, 400).outdated).toHaveLength(200);
    expect(comparePins(full, 400).missing).toHaveLength(200);
  });

  it('the newest is written even where a number is taken: the app may have been made anew', () => {
    expect(comparePins(pins(1, 2, 3), 2)).toEqual({ missing: [2], outdated: [] });
  });
});

describe('pins in a repository', () => {
  const git = gitOfHooks();
  let top: string;
  let origin: GitOrigin;
  beforeEach(async () => {
    top = await mkdtemp(join(tmpdir(), 'gitfleet-pins-'));
    origin = createOrigin(join(top, 'o.git'));
  });
  afterEach(() => rm(top, { recursive: true, force: true }));

  it('keep a commit that no branch has any more, per app, and skip what is not here', async () => {
    const gone = origin.commit({ f: '1' });
    origin.commit({ f: '2' }, { orphan: true });
    const absent = 'd'.repeat(40);
    const blob = origin.git(['hash-object', '-w', '--stdin'], 'x');
    const make = [gone, absent, blob, '(unreadable)', '--all'].map((commitId, at) => ({ number: at + 1, commitId }));
    await makePins(git, origin.directory, '/app/a.b', make);
    expect(await readPins(git, origin.directory, '/app/a.b')).toEqual([{ number: 1, commitId: gone }]);
    expect(await readPins(git, origin.directory, '/app/a')).toEqual([]);
    origin.git(['-c', 'gc.pruneExpire=now', 'gc', '--quiet', '--prune=now']);
    expect(origin.git(['cat-file', '-t', gone])).toBe('commit');
    expect(await removePins(git, origin.directory, '/app/a.b', [1, 99])).toBe(true);
    expect(await readPins(git, origin.directory, '/app/a.b')).toEqual([]);
  });

  it('take every legal app name as part of a ref', async () => {
    const commitId = origin.commit({ f: '1' });
    for (const app of ['/app/a..b', '/app/x.lock', '/a.', '/app/A-b_c/d']) {
      await makePins(git, origin.directory, app, [{ number: 7, commitId }]);
      expect(await readPins(git, origin.directory, app)).toEqual([{ number: 7, commitId }]);
    }
  });

  it('are made by several hooks at once', async () => {
    const commitId = origin.commit({ f: '1' });
    const make = Array.from({ length: 20 }, (_, at) => ({ number: at + 1, commitId }));
    await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map(() => makePins(git, origin.directory, '/app/x', make)));
    expect(await readPins(git, origin.directory, '/app/x')).toHaveLength(20);
  });

  it('are made although a lock of packed refs was left, which only keeps old ones from going', async () => {
    const commitId = origin.commit({ f: '1' });
    const pin = (number: number) => ({ number, commitId });
    await makePins(git, origin.directory, '/app/x', [pin(1)]);
    origin.git(['pack-refs', '--all']);
    const lock = join(origin.directory, 'packed-refs.lock');
    await writeFile(lock, '');
    const started = performance.now();
    await makePins(git, origin.directory, '/app/x', [pin(2)]);
    expect(await removePins(git, origin.directory, '/app/x', [1])).toBe(false);
    expect(performance.now() - started).toBeLessThan(3_000);
    expect((await readPins(git, origin.directory, '/app/x')).map(({ number }) => number)).toEqual([1, 2]);
    expect(await stalePinLock(origin.directory, Date.now())).toBe(null);
    expect(await stalePinLock(origin.directory, Date.now() + 120_000)).toBe(lock);
    await rm(lock);
    expect(await removePins(git, origin.directory, '/app/x', [1])).toBe(true);
  });

  it('of the newest deployment is made although one of them is locked, and the hint is for the git host', async () => {
    const commitId = origin.commit({ f: '1' });
    const refs = join(origin.directory, 'refs/deployments/app+x');
    await mkdir(refs, { recursive: true });
    await writeFile(join(refs, '1.lock'), '');
    const make = [1, 2, 3].map((number) => ({ number, commitId }));
    await expect(makePins(git, origin.directory, '/app/x', make)).rejects.toMatchObject({
      code: 'STORE_LOCKED',
      hint: expect.stringMatching(/^on the git host, if no git runs in .*: remove the lock file/),
    });
    expect((await readPins(git, origin.directory, '/app/x')).map(({ number }) => number)).toEqual([3]);
  }, 30_000);
});
