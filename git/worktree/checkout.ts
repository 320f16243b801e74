import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isAbort } from '../../runtime/errors.ts';
import type { CommitId } from '../../schemas/values.ts';
import { removeStaleOfWorkTree } from '../repository/stale-files.ts';
import { isNoSpace } from '../run/errors.ts';
import { type Contents, checkOutInFull } from './full-checkout.ts';
import { forgetIndexBehind } from './index-catch-up.ts';
import { dropProof, indexIsOfThisBoot, noteBoot, readProof } from './proof.ts';
import { noteRacy, trustProvedIndex } from './racy-index.ts';
import {
  addWorkTree,
  findWorkTree,
  refuseOthers,
  removeWorkTree,
  type WorkTree,
  type WorkTreeStore,
  writingIn,
} from './work-tree.ts';

/**
 * Makes `directory` hold exactly this commit, whatever its state: git's forced checkout fixes one that is half written,
 * edited or of another commit; full-checkout.ts fills an absent one. This is the safe way; apply-diff.ts is the fast
 * one. If the checkout cannot overwrite the tree, it starts over from nothing, once.
 * @param contents of the commit, if known.
 * @param meanwhile is called once git has started.
 * @returns what the directory was before.
 */
export async function checkOut(
  store: WorkTreeStore,
  directory: string,
  commitId: CommitId,
  contents: Contents | null,
  signal: AbortSignal,
  meanwhile: () => void,
): Promise<'proved' | 'unproved' | 'nothing'> {
  const present = await findWorkTree(store, directory);
  if (present) {
    try {
      return await overwrite(store, present, commitId, signal, meanwhile);
    } catch (error) {
      if (signal.aborted || isAbort(error) || isNoSpace(error)) throw error;
      store.log.warn({ directory, error }, 'the work tree could not be overwritten; it is made again');
    }
  }
  await refuseOthers(directory);
  await removeWorkTree(store, directory);
  const tree = await addWorkTree(store, directory, commitId);
  await noteBoot(tree);
  if (!contents || !(await checkOutInFull(store, tree, contents, signal, meanwhile))) {
    await forcedCheckout(store, tree, commitId, signal, meanwhile);
  }
  await store.failpoint('spare.checked-out');
  return 'nothing';
}

async function overwrite(
  store: WorkTreeStore,
  tree: WorkTree,
  commitId: CommitId,
  signal: AbortSignal,
  meanwhile: () => void,
): Promise<'proved' | 'unproved'> {
  const proved = await readProof(tree);
  await dropProof(tree);
  await store.failpoint('spare.dirty');
  await removeStaleOfWorkTree(tree.admin);
  if (proved !== null) await trustProvedIndex(store, tree);
  await forgetIndexBehind(tree);
  if (!(await indexIsOfThisBoot(tree))) {
    // After a power loss, a file may have the size and time that the index remembers, but other bytes.
    await rm(join(tree.admin, 'index'), { recursive: true, force: true });
    await noteBoot(tree);
  }
  await forcedCheckout(store, tree, commitId, signal, meanwhile);
  await store.failpoint('spare.checked-out');
  if (proved !== null) return 'proved'; // It had no strangers, and only we write there; the verification checks again.
  const clean = ['clean', '--quiet', '-ffdx'];
  await store.git.output(clean, { gitDir: tree.admin, workTree: tree.directory, signal });
  return 'unproved';
}

async function forcedCheckout(
  store: WorkTreeStore,
  tree: WorkTree,
  commitId: CommitId,
  signal: AbortSignal,
  meanwhile: () => void,
): Promise<void> {
  const args = ['checkout', '--quiet', '--force', '--detach', '--no-recurse-submodules', commitId, '--'];
  await noteRacy(tree);
  const done = store.git.output(args, writingIn(tree, signal));
  meanwhile();
  await done;
}
