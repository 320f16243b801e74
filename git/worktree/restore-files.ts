import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isAbort } from '../../runtime/errors.ts';
import type { CommitId } from '../../schemas/values.ts';
import { isCommitId } from '../run/commit-id.ts';
import type { Git } from '../run/process.ts';
import { readHead, writeHead } from './proof.ts';
import { noteRacy } from './racy-index.ts';
import { type WorkTree, writingIn } from './work-tree.ts';

/**
 * Restores a work tree that drifted from its commit, file by file and in place: readers of unmodified files see no
 * change. For a release that is served and that something else modified; the spare is written again instead.
 * @param clean null: strangers stay; otherwise they are removed, except for these patterns as in .gitignore.
 */
export async function restoreFiles(
  git: Git,
  tree: WorkTree,
  commitId: CommitId,
  clean: readonly string[] | null,
  signal: AbortSignal,
): Promise<void> {
  const call = writingIn(tree, signal);
  if (!isCommitId(await readHead(tree))) await writeHead(tree, commitId);
  await noteRacy(tree);
  const checkout = ['checkout', '--quiet', '--force', '--detach', '--no-recurse-submodules', commitId, '--'];
  await git.output(checkout, call).catch(async (error: unknown) => {
    if (signal.aborted || isAbort(error)) throw error;
    await rm(join(tree.admin, 'index'), { recursive: true, force: true }); // It may be damaged.
    await git.output(checkout, call);
  });
  if (clean === null) return;
  const patterns = clean.map((pattern) => `--exclude=${pattern}`);
  await git.output(['clean', '--quiet', '-ffdx', ...patterns], call);
}
