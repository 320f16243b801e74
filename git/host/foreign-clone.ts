import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CommitId } from '../../schemas/values.ts';
import { writeAttributes } from '../repository/repository.ts';
import { checkedCommitId, objectFormatOf } from '../run/commit-id.ts';
import type { Git, GitCall } from '../run/process.ts';

/** What a repository that is not ours says about itself. Unverified. */
export interface ForeignRepository {
  /** Null: it has no commit, or git cannot read it. */
  readonly head: CommitId | null;
  /** As written in its config, so it may be anything. */
  readonly originUrl: string | null;
}

/** A repository may hold a named pipe where git expects a file. */
const TIMEOUT_MS = 30_000;

/**
 * Reads HEAD and the origin's url of a foreign repository without running anything that its config names: resolving
 * HEAD involves no filter, hook, monitor or transport, and includes are not followed for the url.
 * @param gitDir its `.git` directory, or the repository itself if it is bare.
 */
export async function readForeign(git: Git, gitDir: string, signal: AbortSignal): Promise<ForeignRepository> {
  const call: GitCall = { gitDir, cwd: '/', timeoutMs: TIMEOUT_MS, maxBytes: 64 * 1024, signal };
  const ask = async (...args: string[]) => {
    const said = await git.run(args, call);
    return said.exitCode === 0 ? said.stdout.toString('utf8').trim() : '';
  };
  const head = await ask('rev-parse', '--verify', '--quiet', '--end-of-options', 'HEAD^{commit}');
  const originUrl = await ask('config', '--local', '--no-includes', '--get', 'remote.origin.url');
  return { head: head === '' ? null : checkedCommitId(head), originUrl: originUrl === '' ? null : originUrl };
}

/**
 * The names of the files in which a foreign directory differs from a commit: changed files, missing files and
 * everything else that is there, including ignored files and filled submodules. Every file is hashed. The directory's
 * index and config are not used: both could hide a file, and the config could run a command. Instead a bare repository
 * of our own borrows the objects; it is made in `scratch` and removed afterwards. Nothing is written into the
 * directory.
 * @param objects the object directory that has the commit.
 */
export async function differencesFrom(
  git: Git,
  directory: string,
  objects: string,
  commitId: CommitId,
  scratch: string,
  signal: AbortSignal,
): Promise<string[]> {
  const gitDir = await mkdtemp(join(scratch, 'compare-'));
  try {
    const format = `--object-format=${objectFormatOf(commitId)}`;
    await git.output(['init', '--quiet', '--bare', '--template=', format, '--', gitDir], { signal });
    await writeAttributes(gitDir);
    await mkdir(join(gitDir, 'objects', 'info'), { recursive: true });
    await writeFile(join(gitDir, 'objects', 'info', 'alternates'), `${objects}\n`);
    // Git runs in our directory: it fails if its working directory disappears, and theirs may at any time.
    const call: GitCall = { gitDir, workTree: directory, cwd: gitDir, signal };
    await git.output(['read-tree', checkedCommitId(commitId)], call);
    await git.run(['update-index', '-q', '--refresh'], call); // Exits with 1 if files differ.
    const flags = ['--name-only', '-z', '--no-renames', '--no-ext-diff', '--no-textconv', '--ignore-submodules=all'];
    const changed = await git.output(['diff-index', ...flags, commitId, '--'], call);
    const strangers = await git.output(['ls-files', '--others', '--directory', '-z'], call);
    const filled = await filledSubmodules(git, directory, call);
    return [...changed.split('\0'), ...strangers.split('\0'), ...filled].filter((name) => name !== '');
  } finally {
    await rm(gitDir, { recursive: true, force: true });
  }
}

/**
 * Files in a submodule are not part of the commit. They are found without git, which would read the submodule's config.
 */
async function filledSubmodules(git: Git, directory: string, call: GitCall): Promise<string[]> {
  const listed = (await git.output(['ls-files', '--stage', '-z'], call)).split('\0');
  const paths = listed.filter((line) => line.startsWith('160000 ')).map((line) => line.slice(line.indexOf('\t') + 1));
  const contents = await Promise.all(paths.map((path) => readdir(join(directory, path)).catch(() => [])));
  return paths.filter((_, at) => (contents[at]?.length ?? 0) > 0);
}
