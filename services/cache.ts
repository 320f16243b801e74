import { join } from 'node:path';
import { writeDurably } from '../runtime/durable-file.ts';
import { readIfThere } from '../runtime/read-if-there.ts';
import { isHost } from '../schemas/settings/service-settings.ts';
import { readTwin } from './contract.ts';
import type { Instance } from './instance.ts';
import type { ServiceList } from './view.ts';

/**
 * The last list of a service on disk, one file each, for a program that starts while ZooKeeper is away. Guarantee: what
 * cannot be read as a list of ours counts as none. A cache is old knowledge: who uses it says so.
 */
export interface CachedList {
  /** Ms since the epoch. */
  readonly at: number;
  readonly instances: readonly Instance[];
}

const MAX_BYTES = 8_000_000;

export const cacheFile = (directory: string, service: string): string =>
  join(directory, `${service.replace('/', '+')}.json`);

export async function readCache(directory: string, service: string): Promise<CachedList | null> {
  const text = await readIfThere(cacheFile(directory, service), MAX_BYTES).catch(() => null);
  if (text === null) return null;
  try {
    return listIn(JSON.parse(text));
  } catch {
    return null;
  }
}

/** By hand: a program that starts waits for this, and a schema takes a hundred times as long. */
function listIn(value: { at?: unknown; instances?: unknown } | null): CachedList | null {
  if (typeof value?.at !== 'number' || !Array.isArray(value.instances)) return null;
  const instances = value.instances.map(instanceIn);
  return instances.includes(null) ? null : { at: value.at, instances: instances as Instance[] };
}

function instanceIn(value: Record<string, unknown> | null): Instance | null {
  const { name, host, port, twin } = value ?? {};
  if (typeof name !== 'string' || typeof host !== 'string' || !isHost(host)) return null;
  if (typeof port !== 'number' || !Number.isInteger(port) || port < 1 || port > 65_535) return null;
  return { name, host, port, twin: twin ? readTwin(twin) : null };
}

export async function writeCache(directory: string, service: string, list: ServiceList, at: number): Promise<void> {
  const text = JSON.stringify({ at, instances: list.instances });
  await writeDurably(cacheFile(directory, service), `${text}\n`, 0o600);
}
