import { createLog } from '../runtime/log.ts';
import { SERVICE_NAME } from '../schemas/settings/service-settings.ts';
import type { Session } from '../zookeeper/session.ts';
import { parseServiceRule, serviceZnodes } from './contract.ts';
import { agentOf, leastOf } from './floor.ts';
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

/** The numbers of a service, read without its instances. */
export interface ServiceSummary {
  readonly service: string;
  readonly instances: number;
  /** How many of the known instances have to stay registered; null: it has no floor. */
  readonly least: number | null;
  /** How many known instances are not in the list. */
  readonly out: number;
}

/** The number of services that are read at most: a screen has no room for more. */
const MOST = 20;

/** The services that these agents register, by name; without those that may not be read. */
export async function summarizeServices(session: Session, agentIds: ReadonlySet<string>): Promise<ServiceSummary[]> {
  const found: ServiceSummary[] = [];
  for (const service of await serviceNames(session).catch(() => [])) {
    const summary = await summaryOf(session, service, agentIds).catch(() => null);
    if (summary) found.push(summary);
    if (found.length === MOST) break;
  }
  return found;
}

async function summaryOf(session: Session, service: string, agentIds: ReadonlySet<string>) {
  const paths = serviceZnodes(service);
  const [listed, twins] = await Promise.all([session.children(paths.list), session.children(paths.instances)]);
  const known = [...new Set([...(listed ?? []), ...(twins ?? [])])];
  if (!known.some((name) => agentIds.has(agentOf(name)))) return null;
  const fleet = await session.get(paths.fleet);
  const least = fleet && leastOf(parseServiceRule(fleet.data), known.length);
  const instances = listed?.length ?? 0;
  return { service, instances, least, out: known.length - instances };
}
