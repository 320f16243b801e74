import { createLog } from '../runtime/log.ts';
import { SERVICE_NAME } from '../schemas/settings/service-settings.ts';
import type { Session } from '../zookeeper/session.ts';
import { type FollowParts, followService } from './follow-service.ts';
import type { ServiceList } from './view.ts';

/** Reads a service's list once, without what an earlier process knew. Waits for ZooKeeper until `signal` fires. */
export async function readList(
  parts: Pick<FollowParts, 'session' | 'service' | 'clock' | 'random'>,
  signal?: AbortSignal,
): Promise<ServiceList> {
  const stop = new AbortController();
  const log = createLog({ level: 'silent' });
  const either = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
  for await (const list of followService({ ...parts, before: null, log }, either)) {
    stop.abort();
    return list;
  }
  signal?.throwIfAborted();
  throw new DOMException('the session was closed', 'AbortError');
}

/** The names of all services, sorted. Other znodes are left out. */
export async function serviceNames(session: Pick<Session, 'children'>): Promise<string[]> {
  const businesses = (await session.children('/service')) ?? [];
  const found = await Promise.all(
    businesses.map(async (business) =>
      ((await session.children(`/service/${business}`)) ?? []).map((what) => `${business}/${what}`),
    ),
  );
  return found
    .flat()
    .filter((name) => SERVICE_NAME.test(name))
    .toSorted();
}
