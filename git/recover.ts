import { chmod } from 'node:fs/promises';
import { dropAbsentMarks } from './local-copy/keep-pack.ts';
import { isSound, markSuspect, settleStore } from './repository/replace-store.ts';
import { type Repository, writeAttributes } from './repository/repository.ts';
import { removeStaleOfStore } from './repository/stale-files.ts';
import { endOrphans } from './run/orphans.ts';
import { catchUpIndex } from './worktree/index-catch-up.ts';
import { allWorkTrees, settleWorkTrees } from './worktree/work-tree.ts';

/**
 * Start-up, with the state lock held: ends what an earlier agent left running, makes an absent store, then removes
 * locks, half packs and half-made work trees. Repeatable, and right after a kill at any point, its own included. The
 * live release is never touched: only what the store keeps about it may be repaired.
 */
export async function recover(repository: Repository): Promise<void> {
  const ended = await endOrphans(repository.directory, repository.clock);
  if (ended > 0) repository.log.warn({ ended }, 'ended git processes that a killed agent left');
  await settleStore(repository);
  await chmod(repository.directory, 0o700);
  await writeAttributes(repository.directory);
  await removeStaleOfStore(repository.directory);
  await settleWorkTrees(repository);
  for (const tree of await allWorkTrees(repository)) void catchUpIndex(repository, tree);
  if (await isSound(repository, false)) await dropAbsentMarks(repository);
  else await markSuspect(repository, 'objects of a pinned commit are missing');
  void repository.reader.read('HEAD').catch(() => {}); // Starts the resident reader before the first target comes.
}
