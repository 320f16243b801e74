import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../runtime/clock.ts';
import { writeDurably } from '../runtime/durable-file.ts';
import { classify } from '../runtime/errors.ts';
import type { Logger } from '../runtime/log.ts';
import { readIfThere } from '../runtime/read-if-there.ts';
import { isHost } from '../schemas/settings/service-settings.ts';
import { readTwin } from './contract.ts';
import type { Instance } from './instance.ts';
import type { ServiceList } from './view.ts';

/**
 * The last list of a service on disk, one file each, for a program that starts while ZooKeeper is away. Guarantee: a
 * file that cannot be read as a list of ours counts as none. A cached list may be out of date, and its user must say
 * so.
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

/** Parsed by hand: a starting program waits for this, and a schema takes a hundred times as long. */
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

/** The age up to which an earlier process's list shows which instances are missing now. */
const RECENT_MS = 3_600_000;

/**
 * Whether an earlier process's list still shows which instances are missing: an outage may have lasted for most of its
 * age. Missing instances are checked before they count (view.ts).
 */
export const isRecent = ({ at }: CachedList, now: number): boolean => now - at < RECENT_MS;

interface CacheParts {
  /** Null: no list is kept. */
  readonly cacheDirectory: string | null;
  readonly service: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Keeps the list for the next process. A failure is only logged. */
export async function saveList(parts: CacheParts, list: ServiceList): Promise<void> {
  const { cacheDirectory, service, clock, log } = parts;
  if (cacheDirectory === null) return;
  await writeCache(cacheDirectory, service, list, clock.now()).catch((error: unknown) =>
    log.warn({ err: classify(error), service }, 'the list of a service is not kept on disk'),
  );
}

const AGAIN_MS = 60_000;

/**
 * Renews the time of the list each minute while it is confirmed: an unchanged list would look old to the next process.
 * @param confirmed null: ZooKeeper does not confirm a list now.
 */
export async function keepCache(
  parts: CacheParts,
  confirmed: () => ServiceList | null,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted && parts.cacheDirectory !== null) {
    await parts.clock.sleep(AGAIN_MS, signal).catch(() => {});
    const list = signal.aborted ? null : confirmed();
    if (list) await saveList(parts, list);
  }
}

export async function writeCache(directory: string, service: string, list: ServiceList, at: number): Promise<void> {
  const text = JSON.stringify({ at, instances: list.instances });
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await writeDurably(cacheFile(directory, service), `${text}\n`, 0o600);
}
