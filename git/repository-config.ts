import { stat } from 'node:fs/promises';
import { visible } from '../runtime/visible.ts';
import { failure } from './errors.ts';
import type { Git } from './process.ts';

/**
 * The `gitfleet.*` members of a repository's own git config: where the hooks keep what `hook install` was told. Values
 * are single lines. Reading knows nothing of the user's or the machine's config.
 */
export async function readRepositoryConfig(git: Git, gitDir: string): Promise<Record<string, string>> {
  const said = await git.ask(['config', '--local', '--null', '--get-regexp', '^gitfleet\\.'], { gitDir });
  if (said.exitCode === 1) return {};
  if (said.exitCode !== 0) throw notReadable(gitDir, said.stderr);
  const entries = said.stdout.toString('utf8').split('\0').filter(Boolean);
  return Object.fromEntries(
    entries.map((entry) => {
      const at = entry.indexOf('\n');
      // A name alone, without `=`.
      if (at < 0) return [entry.slice('gitfleet.'.length), ''];
      return [entry.slice('gitfleet.'.length, at), entry.slice(at + 1)];
    }),
  );
}

/** Whole sections, such as `main /app/business` for `[gitfleet "main /app/business"]`; there is none already: success. */
export async function removeRepositoryConfig(git: Git, gitDir: string, section: string): Promise<void> {
  const said = await git.ask(['config', '--local', '--remove-section', `gitfleet.${section}`], { gitDir });
  if (said.exitCode !== 0 && !/no such section/i.test(said.stderr)) throw notReadable(gitDir, said.stderr);
}

/** @param members full names of settings; null: there shall be none. */
export async function writeConfig(
  git: Git,
  gitDir: string,
  members: Readonly<Record<string, string | null>>,
): Promise<void> {
  for (const [key, value] of Object.entries(members)) {
    if (value !== null) await git.tell(['config', '--local', '--replace-all', key, value], { gitDir });
    else await unset(git, gitDir, ['--unset-all', key]);
  }
}

/** All values of a setting in the repository's own config, as they stand there. */
export async function readConfig(git: Git, gitDir: string, key: string): Promise<string[]> {
  const said = await git.ask(['config', '--local', '--null', '--get-all', key], { gitDir });
  if (said.exitCode > 1) throw notReadable(gitDir, said.stderr);
  return said.stdout.toString('utf8').split('\0').slice(0, -1);
}

/** One value beside others that a setting may have. */
export async function addConfig(git: Git, gitDir: string, key: string, value: string): Promise<void> {
  await git.tell(['config', '--local', '--add', key, value], { gitDir });
}

export async function removeConfig(git: Git, gitDir: string, key: string, value: string): Promise<void> {
  await unset(git, gitDir, ['--fixed-value', '--unset-all', key, value]);
}

async function unset(git: Git, gitDir: string, words: readonly string[]): Promise<void> {
  const said = await git.ask(['config', '--local', ...words], { gitDir });
  // 5: there was none.
  if (said.exitCode !== 0 && said.exitCode !== 5) throw notReadable(gitDir, said.stderr);
}

/** The git directory of `path` if it is a bare repository (or a git directory) of its own, else a failure. */
export async function gitDirOf(git: Git, path: string): Promise<string> {
  const found = await stat(path).catch(() => null);
  if (!found?.isDirectory()) throw notReadable(path, 'there is no such directory');
  const said = await git.ask(['rev-parse', '--absolute-git-dir'], { gitDir: path, cwd: path });
  if (said.exitCode === 0) return said.stdout.toString('utf8').trim();
  throw notReadable(path, said.stderr);
}

/** A branch's commit, null where there is no such branch. */
export async function branchTip(git: Git, gitDir: string, branch: string): Promise<string | null> {
  const name = `refs/heads/${branch}^{commit}`;
  const said = await git.ask(['rev-parse', '--verify', '--quiet', '--end-of-options', name], { gitDir });
  return said.exitCode === 0 ? said.stdout.toString('utf8').trim() : null;
}

/** The newest of some commits, as they are dated. */
export async function newestCommit(git: Git, gitDir: string, commitIds: readonly string[]): Promise<string> {
  const args = ['rev-list', '--no-walk=sorted', '--max-count=1', '--stdin'];
  return (await git.tell(args, { gitDir, input: `${commitIds.join('\n')}\n` })).trim();
}

/** As a publisher records it from a clone (remote.ts): with its control characters written out. */
export async function commitTitle(git: Git, gitDir: string, commitId: string): Promise<string> {
  const said = await git.tell(['log', '-1', '--format=%s', '--end-of-options', commitId, '--'], { gitDir });
  return visible(said.trim(), 200);
}

const notReadable = (path: string, words: string) =>
  failure(
    'NOT_A_REPOSITORY',
    'stall',
    `${path} is not a git repository that can be read: ${words}`,
    'name a bare repository, such as /srv/git/shop.git, that this user owns',
  );
