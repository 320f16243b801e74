import { chmod } from 'node:fs/promises';
import { dropAbsentMarks } from './repository/place-pack.ts';
import { isSound, markSuspect, recoverStore, startOver } from './repository/replace-store.ts';
import { removeBrokenPins, writeAttributes } from './repository/repository.ts';
import { removeStaleOfStore } from './repository/stale-files.ts';
import { mayBeDamage } from './run/errors.ts';
import { endOrphans } from './run/orphans.ts';
import { catchUpIndex } from './worktree/index-catch-up.ts';
import { allWorkTrees, recoverWorkTrees, type WorkTreeStore } from './worktree/work-tree.ts';

/**
 * Start-up, with the state lock held: ends the git processes that an earlier agent left running, creates a missing
 * store, then removes locks, half packs and half-made work trees. Repeatable, and correct after a kill at any point,
 * even within itself. The live release is never touched; only what the store keeps about it may be repaired. A store
 * with worse damage is replaced by a new one; the agent always starts.
 */
export async function recover(store: WorkTreeStore): Promise<void> {
  const ended = await endOrphans(store.directory, store.clock);
  if (ended > 0) store.log.warn({ ended }, 'ended git processes that a killed agent left');
  await recoverStore(store);
  await clear(store).catch(async (error: unknown) => {
    if (!mayBeDamage(error)) throw error;
    store.log.warn({ error }, 'the object store is damaged: a new one takes its place');
    await startOver(store);
    await clear(store);
  });
  for (const tree of await allWorkTrees(store)) void catchUpIndex(store, tree);
  await judge(store).catch((error: unknown) => markSuspect(store, error));
  void store.reader.read('HEAD').catch(() => {}); // Starts the resident reader before the first target arrives.
}

async function clear(store: WorkTreeStore): Promise<void> {
  await chmod(store.directory, 0o700);
  await writeAttributes(store.directory);
  await removeStaleOfStore(store.directory);
  await removeBrokenPins(store);
  await recoverWorkTrees(store);
}

async function judge(store: WorkTreeStore): Promise<void> {
  if (await isSound(store, false)) await dropAbsentMarks(store);
  else await markSuspect(store, 'objects of a pinned commit are missing');
}
