import { createHash } from 'node:crypto';
import type { Random } from '../runtime/clock.ts';
import { FleetError } from '../runtime/errors.ts';
import { addressText } from './contract.ts';
import type { Instance } from './instance.ts';
import type { ServiceList } from './view.ts';

/**
 * How an instance of a list is chosen. `random` takes the less busy of two; `sticky` always takes the same one for a
 * key.
 */
export const STRATEGIES = ['random', 'round-robin', 'least-conn', 'sticky'] as const;
export type Strategy = (typeof STRATEGIES)[number];

export interface PickRule {
  readonly strategy: Strategy;
  /** For `sticky`. */
  readonly key?: string;
  /** Only instances that serve this commit, given by the beginning of its id. */
  readonly commit?: string;
  /** Only instances whose labels match. */
  readonly fits?: (labels: Readonly<Record<string, string>>) => boolean;
}

/** What a caller knows about the instances that it has used, by address. */
export interface PickMemory {
  readonly busy: ReadonlyMap<string, number>;
  /** Until when an instance is put aside. */
  readonly aside: ReadonlyMap<string, number>;
  /** The number of picks so far. */
  readonly count: number;
}

export const NOTHING_PICKED: PickMemory = { busy: new Map(), aside: new Map(), count: 0 };

/**
 * Null: no instance fits. If all that fit are put aside, any of them may be picked: a likely error is better than no
 * instance. Pure.
 */
export function pick(
  instances: readonly Instance[],
  rule: PickRule,
  memory: PickMemory,
  now: number,
  random: Random,
): Instance | null {
  const fitting = instances.filter((instance) => fitsRule(instance, rule));
  const well = fitting.filter((instance) => (memory.aside.get(addressText(instance)) ?? 0) <= now);
  const from = well.length > 0 ? well : fitting;
  if (from.length === 0) return null;
  const busy = (instance: Instance) => memory.busy.get(addressText(instance)) ?? 0;
  const any = () => from[Math.floor(random() * from.length)] as Instance;
  switch (rule.strategy) {
    case 'random': {
      const [one, other] = [any(), any()];
      return busy(other) < busy(one) ? other : one;
    }
    case 'round-robin':
      return from.toSorted(byAddress)[memory.count % from.length] as Instance;
    case 'least-conn': {
      const least = Math.min(...from.map(busy));
      const idle = from.filter((instance) => busy(instance) === least);
      return idle[Math.floor(random() * idle.length)] as Instance;
    }
    case 'sticky':
      return rendezvous(from, rule.key ?? '');
  }
}

/** The same for a whole list, with `sticky` if there is a key and no strategy. @throws FleetError NO_INSTANCE */
export function pickFrom(
  service: string,
  { instances, state }: ServiceList,
  rule: Partial<PickRule>,
  memory: PickMemory,
  now: number,
  random: Random,
): Instance {
  const strategy = rule.key === undefined ? 'random' : 'sticky';
  const found = pick(instances, { strategy, ...rule }, memory, now, random);
  if (found) return found;
  const what = instances.length === 0 ? `has no instance: its list is ${state}` : 'has no instance that fits';
  throw FleetError.of('NO_INSTANCE', `${service} ${what}`);
}

function fitsRule({ twin }: Instance, { commit, fits }: PickRule): boolean {
  if (commit !== undefined && !twin?.commit?.startsWith(commit)) return false;
  return fits === undefined || fits(twin?.labels ?? {});
}

const byAddress = (one: Instance, other: Instance) => (addressText(one) < addressText(other) ? -1 : 1);

/**
 * Each instance gets a number for the key, and the highest number wins: if an instance comes or goes, only its own keys
 * move.
 */
function rendezvous(from: readonly Instance[], key: string): Instance {
  const drawn = (instance: Instance) =>
    createHash('sha256')
      .update(`${addressText(instance)} ${key}`)
      .digest()
      .readUIntBE(0, 6);
  return from.reduce((best, next) => (drawn(next) > drawn(best) ? next : best));
}

const ERRORS = 2;
const WITHIN_MS = 30_000;

/** Two errors within 30 s put an instance aside for 30 s. @param errors the times of its errors so far. */
export function afterError(errors: readonly number[], now: number): { errors: number[]; asideUntil: number } {
  const recent = [...errors.filter((at) => now - at < WITHIN_MS), now];
  return recent.length >= ERRORS ? { errors: [], asideUntil: now + WITHIN_MS } : { errors: recent, asideUntil: 0 };
}
