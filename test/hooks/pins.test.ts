import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gitOfHooks } from '../../cli/hook/environment.ts';
import { changePins, readPins } from '../../git/host/deployment-pins.ts';
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
    await changePins(git, origin.directory, '/app/a.b', { make, remove: [] });
    expect(await readPins(git, origin.directory, '/app/a.b')).toEqual([{ number: 1, commitId: gone }]);
    expect(await readPins(git, origin.directory, '/app/a')).toEqual([]);
    origin.git(['-c', 'gc.pruneExpire=now', 'gc', '--quiet', '--prune=now']);
    expect(origin.git(['cat-file', '-t', gone])).toBe('commit');
    await changePins(git, origin.directory, '/app/a.b', { make: [], remove: [1, 99] });
    expect(await readPins(git, origin.directory, '/app/a.b')).toEqual([]);
  });

  it('take every legal app name as part of a ref', async () => {
    const commitId = origin.commit({ f: '1' });
    for (const app of ['/app/a..b', '/app/x.lock', '/a.', '/app/A-b_c/d']) {
      await changePins(git, origin.directory, app, { make: [{ number: 7, commitId }], remove: [] });
      expect(await readPins(git, origin.directory, app)).toEqual([{ number: 7, commitId }]);
    }
  });

  it('are made by several hooks at once', async () => {
    const commitId = origin.commit({ f: '1' });
    const make = Array.from({ length: 20 }, (_, at) => ({ number: at + 1, commitId }));
    await Promise.all(
      [1, 2, 3, 4, 5, 6, 7, 8].map(() => changePins(git, origin.directory, '/app/x', { make, remove: [] })),
    );
    expect(await readPins(git, origin.directory, '/app/x')).toHaveLength(20);
  });
});
