/**
 * Room on the disk for the next release. Retention decides what is kept. The rest is removed in idle time
 * (maintenance.ts), and here if there is no idle time:
 *
 * - Before a release is written, enough old ones are removed that at most MAX_WAITING wait, however fast deployments
 *   follow. On a disk that is nearly full the store is packed too, while there is still room to do that.
 * - When the disk is full, everything that is not kept is removed, piece by piece, until the write fits: releases whose
 *   grace is over, what the store no longer needs, releases in their grace, the oldest first. Then also the failed
 *   releases that are kept for diagnosis. (A spare that is in the way of a fetch or a write is discarded by git/.)
 *
 * So no commit is refused for lack of room that the agent could give back. Nothing here fails a deployment: what cannot
 * be removed is logged and left.
 */
import { statfs } from 'node:fs/promises';
import type { Store } from '../git/store.ts';
import type { Clock } from '../runtime/clock.ts';
import { classify } from '../runtime/errors.ts';
import type { Logger } from '../runtime/log.ts';
import type { CommitId } from '../schemas/values.ts';
import { type Layout, releaseOf } from './disk/layout.ts';
import { listReleases } from './disk/releases.ts';
import type { Failpoint } from './state/failpoints.ts';
import type { Journal } from './state/journal.ts';
import { noteRemoved } from './state/link-history.ts';
import { MAX_WAITING, type RetentionRule, released } from './state/retention.ts';

export interface Room {
  /** Never throws. */
  beforeWrite(signal: AbortSignal): Promise<void>;
  /** Gives back one thing that is not needed. Resolves to false if nothing is left. Never throws. */
  giveBack(signal: AbortSignal): Promise<boolean>;
}

interface LetGoParts {
  readonly layout: Layout;
  readonly store: Pick<Store, 'removeWorkTree' | 'unpin' | 'pinned'>;
  readonly log: Logger;
  readonly failpoint: Failpoint;
  readonly journal: () => Journal;
  readonly remember: (change: (journal: Journal) => Journal) => Promise<void>;
}

interface RoomParts extends LetGoParts {
  readonly store: Pick<Store, 'removeWorkTree' | 'unpin' | 'pinned' | 'tidy'>;
  readonly clock: Clock;
  readonly retention: () => RetentionRule;
}

export function createRoom(parts: RoomParts): Room {
  /** This process does not try again to remove these: each time they would be the first again. */
  const stuck = new Set<string>();
  let tidiedAt = Number.NEGATIVE_INFINITY;
  /** How many commits the store was told to forget since then. */
  let forgotten = 0;

  async function remove(commitId: string): Promise<boolean> {
    try {
      await letGo(parts, commitId);
      forgotten += 1;
      return true;
    } catch (error) {
      stuck.add(commitId);
      parts.log.warn({ err: classify(error), commitId }, 'an old release could not be removed to make room');
      return false;
    }
  }

  async function waiting(rule = parts.retention()): Promise<ReturnType<typeof released>> {
    const onDisk = await listReleases(parts.layout).catch(() => []);
    const all = released(onDisk, parts.journal(), rule, parts.clock.now());
    return all.filter(({ commitId }) => !stuck.has(commitId));
  }

  async function tidy(signal: AbortSignal): Promise<boolean> {
    [tidiedAt, forgotten] = [parts.clock.monotonic(), 0];
    try {
      await unpinStrays(parts);
      await parts.store.tidy(signal, 'none left');
      parts.log.info('the store was packed to make room');
      return true;
    } catch (error) {
      if (!signal.aborted) parts.log.warn({ err: classify(error) }, 'the store could not be packed to make room');
      return false;
    }
  }

  async function removeFirst(of: readonly { readonly commitId: string }[]): Promise<boolean> {
    for (const { commitId } of of) if (await remove(commitId)) return true;
    return false;
  }

  return {
    async beforeWrite(signal) {
      const all = await waiting();
      const beyond = all.slice(0, Math.max(0, all.length - MAX_WAITING));
      for (const { commitId } of beyond) await remove(commitId);
      if (forgotten >= WORTH_PACKING && (await isNearlyFull(parts.layout.appState))) await tidy(signal);
    },
    async giveBack(signal) {
      const all = await waiting();
      if (await removeFirst(all.filter(({ inGrace }) => !inGrace))) return true;
      // This takes long: once before readers lose their grace, and once after all of them are gone.
      if (parts.clock.monotonic() - tidiedAt > TIDY_AGAIN_MS && (await tidy(signal))) return true;
      if (await removeFirst(all.filter(({ inGrace }) => inGrace))) return true;
      if (forgotten > 0 && (await tidy(signal))) return true;
      return await removeFirst(await waiting({ ...parts.retention(), keepFailedReleases: 0 }));
    },
  };
}

const TIDY_AGAIN_MS = 60_000;
const WORTH_PACKING = 5;

async function isNearlyFull(directory: string): Promise<boolean> {
  const room = await statfs(directory).catch(() => null);
  return room !== null && room.bavail < room.blocks / 5;
}

/** Deletes a release, and forgets it once it is gone. */
export async function letGo(parts: LetGoParts, commitId: string): Promise<void> {
  await parts.store.removeWorkTree(releaseOf(parts.layout, commitId));
  await parts.failpoint('remove.removed');
  await forget(parts, commitId);
  parts.log.info({ commitId }, 'old release removed');
}

/**
 * Called once the release is gone. While it is there it keeps its pin: without one it could be neither proved nor made
 * again.
 */
export async function forget(parts: LetGoParts, commitId: string): Promise<void> {
  await parts.store.unpin(commitId as CommitId);
  await parts.remember((journal) => noteRemoved(journal, commitId));
}

/** Unpins commits that never became a release, because a newer target or a crash came first. */
export async function unpinStrays({ layout, store, journal }: LetGoParts): Promise<void> {
  const kept = new Set<string>([...Object.values(journal().links), ...(await listReleases(layout))]);
  const wanted = journal().progress?.commitId;
  const strays = (await store.pinned()).filter((commitId) => !kept.has(commitId) && commitId !== wanted);
  for (const commitId of strays) await store.unpin(commitId);
}
