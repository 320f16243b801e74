import { parseServiceRule, serviceZnodes } from '../../services/contract.ts';
import { agentOf, leastOf } from '../../services/floor.ts';
import { readInstances } from '../../services/instance.ts';
import { serviceNames } from '../../services/read-list.ts';
import { type ReadParts, repeat } from './keep-znode.ts';
import type { SeenService } from './seen.ts';

const LOOK_MS = 5_000;
/** Values of registrations never change, those of twins do. */
const VALUES_MS = 30_000;
/** More are not shown: every client may create services. */
const MAX_SERVICES = 50;
const MAX_KNOWN = 500;

interface Kept {
  readonly names: string;
  readonly readAt: number;
  readonly service: SeenService;
}

/**
 * Keeps the services that agents of this app register, read every 5 s. @returns null until they were read once.
 * @param agentIds those of the app.
 */
export function readServices(
  parts: ReadParts,
  agentIds: () => ReadonlySet<string>,
  changed: () => void,
  signal: AbortSignal,
): () => readonly SeenService[] | null {
  let seen: readonly SeenService[] | null = null;
  const kept = new Map<string, Kept>();
  const reported = new Set<string>();

  async function look(): Promise<void> {
    const names = await serviceNames(parts.session).catch((): string[] => []);
    const found: SeenService[] = [];
    for (const service of names.slice(0, MAX_SERVICES)) {
      const one = await readOne(service).catch(() => kept.get(service)?.service ?? null);
      if (one) found.push(one);
    }
    for (const service of kept.keys()) if (!names.includes(service)) kept.delete(service);
    seen = found;
    changed();
  }

  async function readOne(service: string): Promise<SeenService | null> {
    const { session, log, clock } = parts;
    const paths = serviceZnodes(service);
    const [listed, twins] = await Promise.all([session.children(paths.list), session.children(paths.instances)]);
    const all = [...new Set([...(listed ?? []), ...(twins ?? [])])].toSorted().slice(0, MAX_KNOWN);
    const ours = agentIds();
    if (!all.some((name) => ours.has(agentOf(name)))) return null;
    const before = kept.get(service);
    const names = JSON.stringify([all, listed?.length]);
    const now = clock.monotonic();
    if (before?.names === names && now - before.readAt < VALUES_MS) return before.service;
    const fleet = await session.get(paths.fleet);
    const instances = await readInstances(
      { session, service, log, reported, before: [] },
      listed?.slice(0, MAX_KNOWN) ?? [],
    );
    const byName = new Map(instances.map((instance) => [instance.name, instance]));
    const known = all.map((name) => {
      const instance = byName.get(name);
      const address = instance ? { host: instance.host, port: instance.port } : null;
      return { name, address, twin: instance?.twin ?? null };
    });
    const least = fleet && leastOf(parseServiceRule(fleet.data), all.length);
    const read: SeenService = { service, least, known };
    kept.set(service, { names, readAt: now, service: read });
    return read;
  }

  void repeat(parts, LOOK_MS, look, signal);
  return () => seen;
}
