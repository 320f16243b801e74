import { systemClock as clock, systemRandom as random } from '../../runtime/clock.ts';
import type { Settings } from '../../schemas/settings/settings.ts';
import { cacheFile, readCache, writeCache } from '../../services/cache.ts';
import { readList } from '../../services/read-list.ts';
import type { ServiceList } from '../../services/view.ts';
import { withSession } from '../shell/session.ts';
import { warn } from '../shell/terminal.ts';

/** A list, and how old it is where ZooKeeper did not confirm it. */
export interface ListRead {
  readonly list: ServiceList;
  readonly ageMs: number | null;
}

/** With a cache a caller would rather have an old list than none. */
const WITH_CACHE_MS = 3_000;

/**
 * One reading of a service's list. With a directory for it, the list is kept there, and what is kept counts where
 * ZooKeeper does not answer in time. @throws FleetError UNREACHABLE
 */
export async function readOnce(settings: Settings, service: string, cacheDirectory: string | null): Promise<ListRead> {
  const cached = cacheDirectory === null ? null : await readCache(cacheDirectory, service);
  try {
    const list = await withSession(
      settings,
      async (session) => await readList({ session, service, clock, random }),
      cached === null ? undefined : WITH_CACHE_MS,
    );
    if (cacheDirectory !== null) await writeCache(cacheDirectory, service, list, clock.now());
    return { list, ageMs: null };
  } catch (error) {
    if (cached === null || cacheDirectory === null) throw error;
    const ageMs = Math.max(0, clock.now() - cached.at);
    warn(`ZooKeeper does not answer: from ${cacheFile(cacheDirectory, service)}, ${Math.round(ageMs / 1_000)} s old`);
    return { list: { state: 'live', instances: cached.instances, mark: null, left: [] }, ageMs };
  }
}
