import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { trustProvedIndex } from './racy-index.ts';
import type { Repository } from './repository.ts';
import { type WorkTree, writingIn } from './work-tree.ts';

/**
 * The diff engine writes files, not the index: to bring an index along costs what the repository costs, and nobody
 * needs it to swap a link. So the paths are noted before the files change, and the index follows right after the
 * release was moved into place, or, if a crash comes between, at the next start.
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

/** For who lets git write the whole tree and its index anew. */
export async function forgetIndexBehind(tree: WorkTree): Promise<void> {
  await rm(join(tree.admin, BEHIND), { force: true });
}

/** Starts it, without anyone waiting but those who ask below. */
export function startCatchUp(repository: Repository, tree: WorkTree): void {
  const work = catchUp(repository, tree).catch((error: unknown) => {
    repository.log.info({ directory: tree.directory, error }, 'the index follows at the next inspection');
  });
  repository.catchingUp.set(tree.admin, work);
  void work.finally(() => repository.catchingUp.get(tree.admin) === work && repository.catchingUp.delete(tree.admin));
}

/** Afterwards the index is that of the files, or it is known why not. */
export async function indexCaughtUp(repository: Repository, tree: WorkTree): Promise<void> {
  await repository.catchingUp.get(tree.admin);
  await catchUp(repository, tree);
}

async function catchUp(repository: Repository, tree: WorkTree): Promise<void> {
  const paths = await readFile(join(tree.admin, BEHIND)).catch(() => null);
  if (paths === null) return;
  await trustProvedIndex(repository, tree);
  const call = { ...writingIn(tree), input: paths };
  await repository.git.tell(['update-index', '--add', '--remove', '-z', '--stdin'], call);
  await rm(join(tree.admin, BEHIND), { force: true });
  await repository.failpoint('spare.index-caught-up');
}
