import type { CommitId } from '../../schemas/values.ts';
import type { Repository } from '../repository/repository.ts';
import { noteRacy } from './racy-index.ts';
import { type WorkTree, writingIn } from './work-tree.ts';

/**
 * Makes a work tree that drifted its commit again, file by file, in place: readers of the files that were right see no
 * change. For a release that is being served and that somebody else wrote into; a release in the making is written anew.
 * @param clean null: strangers stay; else they go, but for these patterns as in .gitignore.
 */
export async function restoreFiles(
  repository: Repository,
  tree: WorkTree,
  commitId: CommitId,
  clean: readonly string[] | null,
  signal: AbortSignal,
): Promise<void> {
  const call = writingIn(tree, signal);
  await noteRacy(tree);
  const checkout = ['checkout', '--quiet', '--force', '--detach', '--no-recurse-submodules', commitId, '--'];
  await repository.git.output(checkout, call);
  if (clean === null) return;
  const patterns = clean.map((pattern) => `--exclude=${pattern}`);
  await repository.git.output(['clean', '--quiet', '-ffdx', ...patterns], call);
}
