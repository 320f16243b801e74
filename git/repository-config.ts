import { failure } from './errors.ts';
import type { Git } from './process.ts';

/**
 * The `gitfleet.*` members of a repository's own git config: where the hooks keep what `hook install` was told. Values
 * are single lines. Writing replaces; reading knows nothing of the user's or the machine's config.
 */
export async function readRepositoryConfig(git: Git, gitDir: string): Promise<Record<string, string>> {
  const said = await git.ask(['config', '--local', '--null', '--get-regexp', '^gitfleet\\.'], { gitDir });
  if (said.exitCode === 1) return {};
  if (said.exitCode !== 0) throw notReadable(gitDir, said.stderr);
  const entries = said.stdout.toString('utf8').split('\0').filter(Boolean);
  return Object.fromEntries(
    entries.map((entry) => {
      const at = entry.indexOf('\n');
      return [entry.slice('gitfleet.'.length, at), entry.slice(at + 1)];
    }),
  );
}

/** @param members null: there shall be none. */
export async function writeRepositoryConfig(
  git: Git,
  gitDir: string,
  members: Readonly<Record<string, string | null>>,
): Promise<void> {
  for (const [name, value] of Object.entries(members)) {
    const key = `gitfleet.${name}`;
    if (value !== null) await git.tell(['config', '--local', '--replace-all', key, value], { gitDir });
    else {
      const said = await git.ask(['config', '--local', '--unset-all', key], { gitDir });
      // 5: there was none.
      if (said.exitCode !== 0 && said.exitCode !== 5) throw notReadable(gitDir, said.stderr);
    }
  }
}

/** The git directory of `path` if it is a bare repository (or a git directory) of its own, else a failure. */
export async function gitDirOf(git: Git, path: string): Promise<string> {
  const said = await git.ask(['rev-parse', '--absolute-git-dir'], { gitDir: path, cwd: path });
  if (said.exitCode === 0) return said.stdout.toString('utf8').trim();
  throw notReadable(path, said.stderr);
}

/** A branch's commit, null where there is no such branch. */
export async function branchTip(git: Git, gitDir: string, branch: string): Promise<string | null> {
  const said = await git.ask(
    ['rev-parse', '--verify', '--quiet', '--end-of-options', `refs/heads/${branch}^{commit}`],
    {
      gitDir,
    },
  );
  return said.exitCode === 0 ? said.stdout.toString('utf8').trim() : null;
}

export async function commitTitle(git: Git, gitDir: string, commitId: string): Promise<string> {
  return (await git.tell(['log', '-1', '--format=%s', '--end-of-options', commitId, '--'], { gitDir })).trim();
}

const notReadable = (path: string, words: string) =>
  failure(
    'NOT_A_REPOSITORY',
    'stall',
    `${path} is not a git repository that can be read: ${words}`,
    'name a bare repository, such as /srv/git/shop.git, that this user owns',
  );
