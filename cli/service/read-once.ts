import { systemClock as clock, systemRandom as random } from '../../runtime/clock.ts';
import type { Settings } from '../../schemas/settings/settings.ts';
import { cacheFile, readCache, writeCache } from '../../services/cache.ts';
import { readList } from '../../services/read-list.ts';
import type { ServiceList } from '../../services/view.ts';
import { withSession } from '../shell/session.ts';
import { warn } from '../shell/terminal.ts';

/** A list, and its age if ZooKeeper did not confirm it. */
export interface ListRead {
  readonly list: ServiceList;
  readonly ageMs: number | null;
}

/** A caller with a cache prefers an old list to a long wait. */
const WITH_CACHE_MS = 3_000;

/**
 * Reads a service's list once. With a cache directory, the list is kept there, and the kept list is used if ZooKeeper
 * does not answer in time. @throws FleetError UNREACHABLE
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
