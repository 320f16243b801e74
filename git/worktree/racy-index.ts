import { rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Repository } from '../repository/repository.ts';
import { type WorkTree, writingIn } from './work-tree.ts';

/**
 * If a file has the time of the second in which the index was written, git cannot tell from the time whether it
 * changed. It reads such files each time; after a checkout that is all of them. The remedies, none of which weakens a
 * later check:
 *
 * - Once that second is over, the index of a proved tree that only we write into may be given a later date: the proof
 *   says that its files are the commit's. The next index that git writes has its own date, with the doubt about its own
 *   second.
 * - The files of a release are read once more in a later second; after that, their times are trusted again.
 */
export async function trustProvedIndex({ clock }: Pick<Repository, 'clock'>, tree: WorkTree): Promise<void> {
  const index = await stat(join(tree.admin, 'index'));
  const nowMs = clock.now();
  if (Math.floor(index.mtimeMs / 1_000) >= Math.floor(nowMs / 1_000)) return; // Still that second: doubt remains.
  const later = (nowMs + 2_000) / 1_000;
  await utimes(join(tree.admin, 'index'), later, later);
}

const RACY = 'gitfleet-racy';

export async function noteRacy(tree: WorkTree): Promise<void> {
  const file = join(tree.admin, RACY);
  await writeFile(file, '').catch(async () => {
    await rm(file, { recursive: true, force: true }); // After damage it may be a directory.
    await writeFile(file, '');
  });
}

export async function forgetRacy(tree: WorkTree): Promise<void> {
  await rm(join(tree.admin, RACY), { recursive: true, force: true });
}

export async function refreshRacy(
  { clock, git }: Pick<Repository, 'clock' | 'git'>,
  tree: WorkTree,
  signal: AbortSignal,
): Promise<void> {
  if ((await stat(join(tree.admin, RACY)).catch(() => null)) === null) return;
  const index = await stat(join(tree.admin, 'index')).catch(() => null);
  if (index === null || Math.floor(index.mtimeMs / 1_000) >= Math.floor(clock.now() / 1_000)) return;
  await git.run(['update-index', '-q', '--refresh'], writingIn(tree, signal));
  await forgetRacy(tree);
}
