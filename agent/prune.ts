import type { Store } from '../git/store.ts';
import type { Clock } from '../runtime/clock.ts';
import { classify } from '../runtime/errors.ts';
import type { Logger } from '../runtime/log.ts';
import type { Journal } from './journal.ts';
import { type Places, releaseOf } from './place.ts';
import { listReleases } from './releases.ts';
import { type RetentionRule, superfluous } from './retention.ts';

export interface PruneParts {
  readonly places: Places;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  readonly retention: RetentionRule;
  readonly journal: () => Journal;
  readonly remember: (change: (journal: Journal) => Journal) => Promise<void>;
}

/** Deletes what retention lets go, one release after another while nothing else is to do. A failure is only logged. */
export async function prune(parts: PruneParts, signal: AbortSignal): Promise<void> {
  try {
    const releases = await listReleases(parts.places);
    for (const commitId of superfluous(releases, parts.journal(), parts.retention, parts.clock.now())) {
      if (signal.aborted) return;
      await parts.store.removeWorkTree(releaseOf(parts.places, commitId));
      await parts.store.unpin(commitId as Parameters<Store['unpin']>[0]);
      await parts.remember(({ releases: { [commitId]: _gone, ...rest }, ...journal }) => ({
        ...journal,
        releases: rest,
      }));
      parts.log.info({ commitId }, 'old release removed');
    }
  } catch (error) {
    parts.log.warn({ err: classify(error) }, 'removing an old release failed, again later');
  }
}
