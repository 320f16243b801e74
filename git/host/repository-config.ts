import { stat } from 'node:fs/promises';
import { visible } from '../../runtime/safe-text.ts';
import type { Git } from '../run/process.ts';
import { notReadable } from './config-edit.ts';

/**
 * The `gitfleet.*` settings in a repository's own git config, where `hook install` stores what the hooks need. Values
 * are single lines. The user's and the machine's config are not read.
 */
export async function readRepositoryConfig(git: Git, gitDir: string): Promise<Record<string, string>> {
  const said = await git.run(['config', '--local', '--null', '--get-regexp', '^gitfleet\\.'], { gitDir });
  if (said.exitCode === 1) return {};
  if (said.exitCode !== 0) throw notReadable(gitDir, said.stderr);
  const entries = said.stdout.toString('utf8').split('\0').filter(Boolean);
  return Object.fromEntries(
    entries.map((entry) => {
      const at = entry.indexOf('\n');
      // A key without `=` has no value.
      if (at < 0) return [entry.slice('gitfleet.'.length), ''];
      return [entry.slice('gitfleet.'.length, at), entry.slice(at + 1)];
    }),
  );
}

/**
 * The git directory of `path`, which must itself be a bare repository or a git directory. @throws FleetError
 * NOT_A_REPOSITORY
 */
export async function gitDirOf(git: Git, path: string): Promise<string> {
  const found = await stat(path).catch(() => null);
  if (!found?.isDirectory()) throw notReadable(path, 'there is no such directory');
  const said = await git.run(['rev-parse', '--absolute-git-dir'], { gitDir: path, cwd: path });
  if (said.exitCode === 0) return said.stdout.toString('utf8').trim();
  throw notReadable(path, said.stderr);
}

/** A branch's commit; null if there is no such branch. */
export const branchTip = (git: Git, gitDir: string, branch: string): Promise<string | null> =>
  commitAt(git, gitDir, `refs/heads/${branch}`);

/** The commit of a ref, named in full; null if there is no such ref. */
export async function commitAt(git: Git, gitDir: string, ref: string): Promise<string | null> {
  const name = `${ref}^{commit}`;
  const said = await git.run(['rev-parse', '--verify', '--quiet', '--end-of-options', name], { gitDir });
  return said.exitCode === 0 ? said.stdout.toString('utf8').trim() : null;
}

/** The newest of some commits, by commit date. */
export async function newestCommit(git: Git, gitDir: string, commitIds: readonly string[]): Promise<string> {
  const args = ['rev-list', '--no-walk=sorted', '--max-count=1', '--stdin'];
  return (await git.output(args, { gitDir, input: `${commitIds.join('\n')}\n` })).trim();
}

/** A commit's title, as a publisher records it from a clone (remote.ts): with control characters escaped. */
export async function commitTitle(git: Git, gitDir: string, commitId: string): Promise<string> {
  const said = await git.output(['log', '-1', '--format=%s', '--end-of-options', commitId, '--'], { gitDir });
  return visible(said.trim(), 200);
}
