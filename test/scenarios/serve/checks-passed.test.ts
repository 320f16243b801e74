import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tipReader } from '../../../cli/serve/branch-tip.ts';
import type { SharedState } from '../../../fleet/shared-state.ts';
import { classify } from '../../../runtime/errors.ts';
import type { RepositoryUrl } from '../../../schemas/values.ts';
import { createOrigin, type GitOrigin, temporaryDirectory } from '../../support/git/origin.ts';
import { type FakeForge, startFakeForge } from '../../support/serve/fake-forge.ts';

/** `when: checks-passed` with real git and a forge that says what the test wants it to. */
describe('an installation that waits for checks', () => {
  let remove: () => void;
  let origin: GitOrigin;
  let forge: FakeForge;
  let tokenFile: string;
  /** GitLab's words for the check `test`, by commit. */
  const statuses = new Map<string, string>();
  const never = new AbortController().signal;

  beforeAll(async () => {
    const made = temporaryDirectory('checks');
    remove = made.remove;
    origin = createOrigin(join(made.path, 'shop.git'));
    tokenFile = join(made.path, 'token');
    await writeFile(tokenFile, 'a-token-that-may-read\n', { mode: 0o600 });
    forge = await startFakeForge();
    forge.answer = ({ path }) => {
      const status = statuses.get(/commits\/([0-9a-f]+)\//.exec(path)?.[1] ?? '');
      return [200, status === undefined ? [] : [{ name: 'test', status }]];
    };
  });
  afterAll(async () => {
    await forge?.close();
    remove?.();
  });

  const installation = (url: RepositoryUrl = origin.url) =>
    ({ name: 'shop', url, branch: 'main', when: 'checks-passed', checks: ['test'] }) as unknown as Parameters<
      typeof tipReader
    >[1];
  const reader = () =>
    tipReader(
      { forges: [{ prefix: 'file:///', kind: 'gitlab', api: `${forge.url}/api/v4/`, tokenFile }] },
      installation(),
      never,
    );
  const showing = (commitId: string) => ({ target: { commitId }, refused: null }) as unknown as SharedState['config'];

  it('takes nothing that is red or runs, then what is green, and an older green one below a red tip', async () => {
    const read = reader();
    const first = origin.commit({ page: '1' });
    const second = origin.commit({ page: '2' });
    const now = { seen: first, config: showing(first) };
    for (const status of [undefined, 'failed', 'running', 'canceled']) {
      if (status !== undefined) statuses.set(second, status);
      expect(await read(now)).toBe(null);
    }
    statuses.set(second, 'success');
    expect(await read(now)).toBe(second);
    const third = origin.commit({ page: '3' });
    statuses.set(third, 'failed');
    expect(await read(now)).toBe(second);
    // The forge is not asked about a tip that was seen, nor about anything below what was seen.
    forge.got.length = 0;
    expect(await read({ seen: third, config: showing(first) })).toBe(third);
    expect(forge.got).toEqual([]);
    statuses.set(second, 'failed');
    expect(await read({ seen: second, config: showing(first) })).toBe(null);
    expect(forge.got.map(({ path }) => /commits\/([0-9a-f]+)\//.exec(path)?.[1])).toEqual([third]);
  });

  it('fails while its forge is down, so that the look is repeated', async () => {
    const read = reader();
    const before = origin.git(['rev-parse', 'main']);
    origin.commit({ page: '4' });
    const answer = forge.answer;
    forge.answer = () => [503, { message: 'down' }];
    const failed = await read({ seen: before, config: showing(before) }).then(String, (error) => classify(error).code);
    expect(failed).toBe('NOT_DELIVERED');
    forge.answer = answer;
  });

  it('is refused at the start if no forge is named for its url', () => {
    expect(() => tipReader({ forges: [] }, installation(), never)).toThrow('serve.forges names no forge for its url');
  });
});
