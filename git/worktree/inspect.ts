import { lstat, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isAbort } from '../../runtime/errors.ts';
import type { CommitId } from '../../schemas/values.ts';
import { removeStaleOfWorkTree } from '../repository/stale-files.ts';
import { isCommitId } from '../run/commit-id.ts';
import type { Git, GitCall } from '../run/process.ts';
import { compareWorkTree, type Drift } from './compare.ts';
import type { ContentsMemory } from './contents-memory.ts';
import { forgetIndexBehind, indexCaughtUp } from './index-catch-up.ts';
import { indexIsOfThisBoot, noteBoot, readHead } from './proof.ts';
import { lookQuickly } from './quick-inspection.ts';
import { refreshRacy } from './racy-index.ts';
import { type WorkTree, type WorkTreeStore, writingIn } from './work-tree.ts';

/** The store as an inspection needs it. */
export interface InspectedStore extends WorkTreeStore {
  readonly contents: ContentsMemory;
}

export interface InspectOptions {
  /** Hash every file, with a new index: also finds changes that kept size and times. */
  readonly deep?: boolean;
  /** Patterns as in .gitignore, of files that are neither drift nor strangers. */
  readonly except?: readonly string[];
}

/**
 * How a work tree differs from a commit: HEAD, every tracked file (by size and times, by content where those changed),
 * and every other file, including ignored ones. Writes nothing into the tree.
 */
export async function inspectWorkTree(
  store: InspectedStore,
  tree: WorkTree,
  commitId: CommitId,
  signal: AbortSignal,
  { deep = false, except = [] }: InspectOptions = {},
): Promise<Drift> {
  const { git } = store;
  if (!deep) {
    // Without a HEAD, git does not accept the admin directory as a repository; a restore writes it again.
    if (!isCommitId(await readHead(tree))) return { head: null, changed: [], missing: [], strangers: [] };
    const quick = except.length === 0 ? await perhapsQuickly(store, tree, commitId, signal) : 'git has to look';
    if (quick === 'unchanged') return { head: commitId, changed: [], missing: [], strangers: [] };
    const compare = () => compareWorkTree(git, tree, commitId, except, writingIn(tree, signal), 'believed');
    try {
      await indexCaughtUp(store, tree);
      const isTrusted = quick !== 'other bytes' && (await indexIsOfThisBoot(tree)) && (await hasIndex(tree));
      if (!isTrusted) await remakeIndex(git, tree, commitId, signal);
      await refreshRacy(store, tree, signal);
      return await compare();
    } catch (error) {
      if (signal.aborted || isAbort(error)) throw error;
      store.log.info({ directory: tree.directory, error }, 'the index is made again');
      await remakeIndex(git, tree, commitId, signal);
      return compare();
    }
  }
  const index = join(tree.admin, 'gitfleet-inspect.new');
  try {
    await rm(index, { force: true });
    const call = await hashedIndex(git, tree, commitId, index, signal);
    return await compareWorkTree(git, tree, commitId, except, call, 'hashed');
  } finally {
    await rm(index, { force: true });
  }
}

/** A failure has no effect: git then looks, and tells what is wrong. */
async function perhapsQuickly(store: InspectedStore, tree: WorkTree, commitId: CommitId, signal: AbortSignal) {
  const contents = store.contents.of(commitId);
  if (contents === null) return 'git has to look';
  return await lookQuickly(store, tree, commitId, contents, signal).catch((error: unknown) => {
    if (signal.aborted || isAbort(error)) throw error;
    store.log.debug({ directory: tree.directory, error }, 'git has to compare the work tree');
    return 'git has to look';
  });
}

/** Makes a new index at `index`: every file is hashed; the tree's own index is neither read nor written. */
export async function hashedIndex(
  git: Git,
  { admin, directory }: WorkTree,
  commitId: CommitId,
  index: string,
  signal: AbortSignal,
): Promise<GitCall> {
  const env = { GIT_INDEX_FILE: index };
  const call: GitCall = { gitDir: admin, workTree: directory, signal, env, locks: [`${index}.lock`] };
  await git.output(['read-tree', commitId], call);
  await git.run(['update-index', '-q', '--refresh'], call); // Exits with 1 if files differ.
  return call;
}

/**
 * Makes the tree's index again from nothing: after a power loss it may be incomplete, damaged, or record times of files
 * whose bytes were lost. The new one is made aside, so that a store without the commit's objects does not cost the tree
 * its index: all files would look missing, and would be written again while readers use them.
 */
async function remakeIndex(git: Git, tree: WorkTree, commitId: CommitId, signal: AbortSignal): Promise<void> {
  await removeStaleOfWorkTree(tree.admin);
  const [index, aside] = [indexOf(tree), join(tree.admin, 'gitfleet-remade.new')];
  try {
    await rm(aside, { force: true });
    await hashedIndex(git, tree, commitId, aside, signal);
    await forgetIndexBehind(tree);
    await rm(index, { recursive: true, force: true });
    await rename(aside, index);
  } finally {
    await rm(aside, { force: true });
  }
  await noteBoot(tree);
}

const indexOf = ({ admin }: WorkTree): string => join(admin, 'index');

const hasIndex = (tree: WorkTree): Promise<boolean> =>
  lstat(indexOf(tree)).then(
    (found) => found.isFile(),
    () => false,
  );
