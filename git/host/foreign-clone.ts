import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CommitId } from '../../schemas/values.ts';
import { writeAttributes } from '../repository/repository.ts';
import { checkedCommitId, objectFormatOf } from '../run/commit-id.ts';
import type { Git, GitCall } from '../run/process.ts';

/** What a repository that is not ours says about itself; claims, to be checked. */
export interface ForeignRepository {
  /** Null: it has no commit, or is none that git can read. */
  readonly head: CommitId | null;
  /** As written there, so it may be anything. */
  readonly originUrl: string | null;
}

/** A repository may hold a named pipe where git expects a file. */
const TIMEOUT_MS = 30_000;

/**
 * Asks a foreign repository two questions that run nothing of what its config names: no filter, hook, monitor or
 * transport takes part in resolving HEAD, and its includes are not followed for the url.
 * @param gitDir its `.git`, or itself where it is bare.
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
 * How the files of a foreign directory differ from a commit, by name: changed or missing ones, and whatever else lies
 * there, ignored files and filled submodules included. Every file is hashed; index and config of the directory are
 * not asked, for both could hide a file, and its config could run a command. That takes a bare repository of our own
 * that borrows the objects, made in `scratch` and gone afterwards. Nothing is written into the directory.
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
    // Started in our own: theirs may be gone at any time, and git then says so.
    const call: GitCall = { gitDir, workTree: directory, cwd: gitDir, signal };
    await git.output(['read-tree', checkedCommitId(commitId)], call);
    await git.run(['update-index', '-q', '--refresh'], call); // Says 1 where files differ.
    const flags = ['--name-only', '-z', '--no-renames', '--no-ext-diff', '--no-textconv', '--ignore-submodules=all'];
    const changed = await git.output(['diff-index', ...flags, commitId, '--'], call);
    const strangers = await git.output(['ls-files', '--others', '--directory', '-z'], call);
    const filled = await filledSubmodules(git, directory, call);
    return [...changed.split('\0'), ...strangers.split('\0'), ...filled].filter((name) => name !== '');
  } finally {
    await rm(gitDir, { recursive: true, force: true });
  }
}

/** What lies in a submodule is no part of the commit; git is not asked about it, because that would read its config. */
async function filledSubmodules(git: Git, directory: string, call: GitCall): Promise<string[]> {
  const listed = (await git.output(['ls-files', '--stage', '-z'], call)).split('\0');
  const paths = listed.filter((line) => line.startsWith('160000 ')).map((line) => line.slice(line.indexOf('\t') + 1));
  const contents = await Promise.all(paths.map((path) => readdir(join(directory, path)).catch(() => [])));
  return paths.filter((_, at) => (contents[at]?.length ?? 0) > 0);
}
