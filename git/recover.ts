import { chmod } from 'node:fs/promises';
import { dropAbsentMarks } from './local-copy/keep-pack.ts';
import { isSound, markSuspect, recoverStore } from './repository/replace-store.ts';
import { writeAttributes } from './repository/repository.ts';
import { removeStaleOfStore } from './repository/stale-files.ts';
import { endOrphans } from './run/orphans.ts';
import { catchUpIndex } from './worktree/index-catch-up.ts';
import { allWorkTrees, recoverWorkTrees, type WorkTreeStore } from './worktree/work-tree.ts';

/**
 * Start-up, with the state lock held: ends what an earlier agent left running, makes an absent store, then removes
 * locks, half packs and half-made work trees. Repeatable, and right after a kill at any point, its own included. The
 * live release is never touched: only what the store keeps about it may be repaired.
 */
export async function recover(store: WorkTreeStore): Promise<void> {
  const ended = await endOrphans(store.directory, store.clock);
  if (ended > 0) store.log.warn({ ended }, 'ended git processes that a killed agent left');
  await recoverStore(store);
  await chmod(store.directory, 0o700);
  await writeAttributes(store.directory);
  await removeStaleOfStore(store.directory);
  await recoverWorkTrees(store);
  for (const tree of await allWorkTrees(store)) void catchUpIndex(store, tree);
  if (await isSound(store, false)) await dropAbsentMarks(store);
  else await markSuspect(store, 'objects of a pinned commit are missing');
  void store.reader.read('HEAD').catch(() => {}); // Starts the resident reader before the first target comes.
}
