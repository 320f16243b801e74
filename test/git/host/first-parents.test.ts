import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { firstParentsOf } from '../../../git/host/first-parents.ts';
import { systemClock } from '../../../runtime/clock.ts';
import { classify } from '../../../runtime/errors.ts';
import type { CommitId, RepositoryUrl } from '../../../schemas/values.ts';
import { createOrigin, type GitOrigin, temporaryDirectory } from '../../support/git/origin.ts';

describe('the newest commits of a branch without a clone', () => {
  let remove: () => void;
  let origin: GitOrigin;
  const commits: CommitId[] = [];
  const env = { PATH: process.env['PATH'], HOME: '/dev/null', GIT_DIR: '/nowhere' };
  const ask = (tip: CommitId, most: number, url = origin.url) =>
    firstParentsOf({ url, tip, most, clock: systemClock, env });

  beforeAll(() => {
    const made = temporaryDirectory('first-parents');
    remove = made.remove;
    origin = createOrigin(join(made.path, 'origin.git'));
    for (let n = 0; n < 5; n += 1) commits.unshift(origin.commit({ page: String(n) }));
    const side = origin.commit({ side: '1' }, { branch: 'side', orphan: true });
    const parents = ['-p', commits[0] as string, '-p', side];
    const tree = `${commits[0]}^{tree}`;
    commits.unshift(origin.git(['commit-tree', tree, '-m', 'merge', ...parents]) as CommitId);
    origin.branch('main', commits[0] as CommitId);
  });
  afterAll(() => remove());

  it('are those of the branch itself, newest first, with nothing of what was merged', async () => {
    expect(await ask(commits[0] as CommitId, 20)).toEqual(commits);
    expect(await ask(commits[0] as CommitId, 3)).toEqual(commits.slice(0, 3));
  });

  it('are not known if the commit or the repository is not there', async () => {
    const codeOf = (asking: Promise<unknown>) => asking.then(String, (error: unknown) => classify(error).code);
    expect(await codeOf(ask('f'.repeat(40) as CommitId, 3))).toBe('COMMIT_NOT_FOUND');
    const nowhere = `${origin.url}-nowhere` as RepositoryUrl;
    expect(await codeOf(ask(commits[0] as CommitId, 3, nowhere))).toBe('REPOSITORY_NOT_FOUND');
  });
});
