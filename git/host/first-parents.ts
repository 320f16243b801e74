import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../../runtime/clock.ts';
import { FleetError } from '../../runtime/errors.ts';
import { run } from '../../runtime/process.ts';
import type { CommitId, RepositoryUrl } from '../../schemas/values.ts';
import { checkedCommitId, objectFormatOf } from '../run/commit-id.ts';
import { gitFailure } from '../run/errors.ts';
import { forPublisher } from './publisher-hints.ts';
import { networkEnvironment, type UserEnvironment } from './user-git.ts';

interface FirstParentsParts {
  readonly url: RepositoryUrl;
  /** The tip of a branch, as the server has just named it. */
  readonly tip: CommitId;
  readonly most: number;
  readonly clock: Clock;
  /** The environment of the publisher. */
  readonly env: UserEnvironment;
}

const TIMEOUT_MS = 60_000;

/**
 * The newest commits of a branch by first parents, newest first, without a clone: a shallow fetch of commits alone into
 * a repository that is removed afterwards. A server that cannot leave files out sends those too. A push in between
 * changes nothing, because `tip` is what is fetched.
 * @throws FleetError as a fetch fails
 */
export async function firstParentsOf(parts: FirstParentsParts): Promise<readonly CommitId[]> {
  const { url, tip, most } = parts;
  const format = `--object-format=${objectFormatOf(checkedCommitId(tip))}`;
  const directory = await mkdtemp(join(tmpdir(), 'gitfleet-ask-'));
  const git = (...args: string[]) => output(parts, [`--git-dir=${directory}`, ...args]);
  try {
    await git('init', '--quiet', '--bare', '--template=', format);
    const flags = ['--quiet', '--no-tags', `--depth=${most}`, '--filter=tree:0', '--no-write-fetch-head'];
    await git('fetch', ...flags, '--', url, `${tip}:refs/heads/asked`);
    const listed = await git('rev-list', '--first-parent', `--max-count=${most}`, '--end-of-options', tip);
    return listed.split('\n').filter(Boolean).map(checkedCommitId);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function output({ url, clock, env }: FirstParentsParts, args: readonly string[]): Promise<string> {
  const said = await run(['git', ...args], {
    env: networkEnvironment(env, url),
    clock,
    timeoutMs: TIMEOUT_MS,
    maxBytes: 1024 * 1024,
    maxMemoryBytes: () => 512 * 1024 ** 2,
    keep: 'all',
  });
  if (said.exitCode === 0) return said.stdout.toString('utf8');
  if (said.ended === 'exit')
    throw forPublisher(gitFailure('git', { stderr: said.stderr.toString('utf8') }, 'FETCH_FAILED', url));
  const hint = 'check that this machine reaches the git server, and that git is installed';
  throw FleetError.of('FETCH_FAILED', `git ended with ${said.ended}`, hint);
}
