import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { trustProvedIndex } from './racy-index.ts';
import { findWorkTree, type WorkTree, type WorkTreeStore, writingIn } from './work-tree.ts';

/**
 * apply-diff.ts writes files, not the index: updating an index takes time in proportion to the repository, and the swap
 * of the link does not need it. So the paths are noted before the files change. The index is updated when an inspection
 * or the next write needs it, or, after a crash, at the next start. An inspection that needs no git makes a new one
 * (quick-inspection.ts).
 */
const BEHIND = 'gitfleet-index-behind';

export async function noteIndexBehind(tree: WorkTree, diff: readonly { path: string }[]): Promise<void> {
  const file = join(tree.admin, BEHIND);
  await writeFile(`${file}.new`, diff.map(({ path }) => `${path}\0`).join(''));
  await rename(`${file}.new`, file);
}

export async function isIndexBehind(tree: WorkTree): Promise<boolean> {
  return (await stat(join(tree.admin, BEHIND)).catch(() => null)) !== null;
}

/** For callers that have git write the whole tree and its index. */
export async function forgetIndexBehind(tree: WorkTree): Promise<void> {
  await rm(join(tree.admin, BEHIND), { recursive: true, force: true });
}

/** For the background: a failure is only logged. `indexCaughtUp` waits for it. */
export async function catchUpIndex(store: WorkTreeStore, tree: WorkTree): Promise<void> {
  await indexCaughtUp(store, tree).catch((error: unknown) => {
    store.log.info({ directory: tree.directory, error }, 'the index follows at the next inspection');
  });
}

/** Brings the index up to date with the files. Rejects if that fails. */
export async function indexCaughtUp(store: WorkTreeStore, tree: WorkTree): Promise<void> {
  const { catchingUp } = store;
  const before = catchingUp.get(tree.admin) ?? Promise.resolve();
  const work = before.then(() => catchUp(store, tree));
  const ended = work.catch(() => {});
  catchingUp.set(tree.admin, ended);
  void ended.then(() => catchingUp.get(tree.admin) === ended && catchingUp.delete(tree.admin));
  await work;
}

async function catchUp(store: WorkTreeStore, tree: WorkTree): Promise<void> {
  const paths = await readFile(join(tree.admin, BEHIND)).catch(() => null);
  if (paths === null) return;
  // The tree has been moved: an inspection at its new place updates the index.
  if ((await findWorkTree(store, tree.directory))?.admin !== tree.admin) return;
  await trustProvedIndex(store, tree);
  const call = { ...writingIn(tree), input: paths };
  await store.git.output(['update-index', '--add', '--remove', '-z', '--stdin'], call);
  await rm(join(tree.admin, BEHIND), { force: true });
  await store.failpoint('spare.index-caught-up');
}
