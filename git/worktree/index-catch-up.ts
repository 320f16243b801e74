import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Repository } from '../repository/repository.ts';
import { trustProvedIndex } from './racy-index.ts';
import { findWorkTree, type WorkTree, writingIn } from './work-tree.ts';

/**
 * The diff engine writes files, not the index: to bring an index along costs what the repository costs, and nobody
 * needs it to swap a link. So the paths are noted before the files change, and the index follows a second after the
 * release was moved into place, or when somebody asks for it, or, if a crash comes between, at the next start.
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

/** Without anyone waiting but those who ask below. */
export async function catchUpIndex(repository: Repository, tree: WorkTree): Promise<void> {
  await indexCaughtUp(repository, tree).catch((error: unknown) => {
    repository.log.info({ directory: tree.directory, error }, 'the index follows at the next inspection');
  });
}

/** Afterwards the index is that of the files, or it is known why not. */
export async function indexCaughtUp(repository: Repository, tree: WorkTree): Promise<void> {
  const { catchingUp } = repository;
  const before = catchingUp.get(tree.admin) ?? Promise.resolve();
  const work = before.then(() => catchUp(repository, tree));
  const ended = work.catch(() => {});
  catchingUp.set(tree.admin, ended);
  void ended.then(() => catchingUp.get(tree.admin) === ended && catchingUp.delete(tree.admin));
  await work;
}

async function catchUp(repository: Repository, tree: WorkTree): Promise<void> {
  const paths = await readFile(join(tree.admin, BEHIND)).catch(() => null);
  if (paths === null) return;
  // It was moved since: whoever asks for it at its new place brings it along there.
  if ((await findWorkTree(repository, tree.directory))?.admin !== tree.admin) return;
  await trustProvedIndex(repository, tree);
  const call = { ...writingIn(tree), input: paths };
  await repository.git.output(['update-index', '--add', '--remove', '-z', '--stdin'], call);
  await rm(join(tree.admin, BEHIND), { force: true });
  await repository.failpoint('spare.index-caught-up');
}
