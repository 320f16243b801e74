import type { Logger } from '../runtime/log.ts';
import { visible } from '../runtime/safe-text.ts';
import type { Session } from '../zookeeper/session.ts';
import {
  addressText,
  parseRegistration,
  parseTwin,
  type ServiceAddress,
  serviceZnodes,
  type Twin,
} from './contract.ts';

/** One entry of a service's list, for use by a caller. */
export interface Instance extends ServiceAddress {
  readonly name: string;
  /** Null: another program registered it, or its twin is gone or not readable. */
  readonly twin: Twin | null;
}

interface ReadParts {
  readonly session: Session;
  readonly service: string;
  readonly log: Logger;
  /** Names already reported as unreadable, so that each is reported once. */
  readonly reported: Set<string>;
  /** What was known before, for registrations that have gone since the names were read. */
  readonly before: readonly Instance[];
}

/** More are not read: a list must not be able to exhaust its readers. */
const MAX_INSTANCES = 10_000;
const AT_ONCE = 200;

/**
 * The instances with these names, sorted by name. One that cannot be read is left out, and logged once. One that has
 * gone since the names were read is still what it was before: its deletion belongs to a later list, and only the mark
 * of that list acknowledges it.
 */
export async function readInstances(parts: ReadParts, names: readonly string[]): Promise<Instance[]> {
  const sorted = names.toSorted().slice(0, MAX_INSTANCES);
  const found: (Instance | null)[] = [];
  for (let from = 0; from < sorted.length; from += AT_ONCE) {
    found.push(...(await Promise.all(sorted.slice(from, from + AT_ONCE).map((name) => readInstance(parts, name)))));
  }
  return found.filter((instance) => instance !== null);
}

async function readInstance(parts: ReadParts, name: string): Promise<Instance | null> {
  const { session, service, log, reported, before } = parts;
  const paths = serviceZnodes(service);
  const [node, twin] = await Promise.all([session.get(paths.registration(name)), twinIn(session, service, name)]);
  if (!node) return before.find((each) => each.name === name) ?? null;
  const address = parseRegistration(node.data);
  if (address) return { name, ...address, twin };
  if (reported.size < MAX_INSTANCES && !reported.has(name)) {
    reported.add(name);
    log.warn({ service, name: visible(name, 200) }, 'a registration is not ["host","port"] and is left out');
  }
  return null;
}

/** Not every client that may read the list may read the twins. */
async function twinIn(session: Session, service: string, name: string): Promise<Twin | null> {
  const node = await session.get(serviceZnodes(service).twin(name)).catch(() => null);
  return node && parseTwin(node.data);
}

/** Keeps one instance per address: an earlier registration of the same instance may still exist. */
export function withoutDoubles(instances: readonly Instance[]): Instance[] {
  const byAddress = new Map<string, Instance>();
  for (const instance of instances) {
    const before = byAddress.get(addressText(instance));
    if (!before || (before.twin === null && instance.twin !== null)) byAddress.set(addressText(instance), instance);
  }
  return [...byAddress.values()];
}
