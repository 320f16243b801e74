import type { CommitId } from '../schemas/values.ts';
import { noteRacy } from './racy-index.ts';
import type { Repository } from './repository.ts';
import type { WorkTree } from './work-tree.ts';

/**
 * Makes a work tree that drifted its commit again, file by file, in place: readers of the files that were right see no
 * change. For a release that is being served and that somebody else wrote into; a release in the making is written anew.
 * @param except patterns as in .gitignore, of what is neither drift nor cleaned.
 */
export async function putRight(
  repository: Repository,
  tree: WorkTree,
  commitId: CommitId,
  except: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const call = { gitDir: tree.admin, workTree: tree.directory, signal };
  await noteRacy(tree);
  const checkout = ['checkout', '--quiet', '--force', '--detach', '--no-recurse-submodules', commitId, '--'];
  await repository.git.tell(checkout, call);
  const patterns = except.map((pattern) => `--exclude=${pattern}`);
  await repository.git.tell(['clean', '--quiet', '-ffdx', ...patterns], call);
}
