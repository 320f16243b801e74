import { copyFile, mkdtemp, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import type { CommitId } from '../../schemas/values.ts';
import { checkedCommitId } from '../run/commit-id.ts';
import { gitError } from '../run/errors.ts';
import type { Git } from '../run/process.ts';
import { compareWorkTree, type Drift } from './compare.ts';
import { isIndexBehind } from './index-catch-up.ts';
import { hashedIndex, type InspectOptions } from './inspect.ts';
import { indexIsOfThisBoot } from './proof.ts';
import { findWorkTree, type WorkTree } from './work-tree.ts';

/**
 * How a release differs from its commit, for a command that runs beside a working agent: nothing below the store or the
 * release is written or locked, because git uses a copy of the index in a temporary directory. Compares sizes and times
 * with the index; hashes every file if the index cannot be trusted, or with `deep`.
 * @param scratch where to make that directory.
 * @throws FleetError NOT_OUR_WORK_TREE; EACCES and the like if the caller may not read the store.
 */
export async function inspectReadOnly(
  git: Git,
  store: string,
  release: string,
  commitId: CommitId,
  scratch: string,
  signal: AbortSignal,
  { deep = false, except = [] }: InspectOptions = {},
): Promise<Drift> {
  const id = checkedCommitId(commitId);
  const tree = await findWorkTree({ directory: store }, release);
  if (!tree) {
    const hint = 'look again in a moment; if it stays so, publish the commit again and the agent takes it up';
    throw gitError('NOT_OUR_WORK_TREE', `the store knows no work tree at ${release}`, hint);
  }
  const own = await mkdtemp(join(scratch, 'gitfleet-verify-'));
  try {
    const index = join(own, 'index');
    const believed = !deep && (await copyIndex(tree, index));
    const call = believed
      ? { gitDir: tree.admin, workTree: release, signal, env: { GIT_INDEX_FILE: index } }
      : await hashedIndex(git, tree, id, index, signal);
    return await compareWorkTree(git, tree, id, except, call, believed ? 'believed' : 'hashed');
  } finally {
    await rm(own, { recursive: true, force: true });
  }
}

/**
 * False if there is no index that can be trusted. The copy keeps its time: git distrusts files that are as new as their
 * index.
 */
async function copyIndex(tree: WorkTree, to: string): Promise<boolean> {
  const from = join(tree.admin, 'index');
  const [found, current, behind] = await Promise.all([
    stat(from).catch(() => null),
    indexIsOfThisBoot(tree),
    isIndexBehind(tree),
  ]);
  if (found === null || !current || behind) return false;
  await copyFile(from, to);
  const second = Math.floor(found.mtimeMs / 1_000);
  await utimes(to, second, second);
  return true;
}
