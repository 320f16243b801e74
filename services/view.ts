import { addressText } from './contract.ts';
import { type Instance, withoutDoubles } from './instance.ts';

/**
 * What a consumer believes about a service. An instance that left in order (its twin is still there) is believed at
 * once, even if none is left. If more than 30 % of the list, and more than one instance, are gone from the list without
 * a twin within one session timeout, the sessions may have ended and not the instances. The list is then frozen: each
 * lost instance is checked, and those that answer stay for at most ten minutes. The same holds if the whole service is
 * gone from ZooKeeper. Pure: follow-service.ts makes the looks.
 */
export interface View {
  readonly live: readonly Instance[];
  /** Lost and kept, with the time of the loss. */
  readonly kept: readonly Kept[];
  /** Instances that were lost recently without leaving in order. */
  readonly lost: readonly Kept[];
  /** Instances that left in order recently. */
  readonly left: readonly Kept[];
  /** The pzxid of the list; null: it came from disk, or there is no list. */
  readonly mark: bigint | null;
  /** Whether ZooKeeper has a list of this service. */
  readonly exists: boolean;
}

interface Kept {
  readonly instance: Instance;
  readonly since: number;
}

export const MAX_FROZEN_MS = 600_000;
const MASS_SHARE = 0.3;

export const NO_VIEW: View = { live: [], kept: [], lost: [], left: [], mark: null, exists: false };

interface Found {
  readonly instances: readonly Instance[];
  readonly mark: bigint;
  /** Names that have a twin, listed or not. */
  readonly twins: ReadonlySet<string>;
}

/** @param found null: the service is gone from ZooKeeper. */
export function nextView(view: View, found: Found | null, now: number, windowMs: number): View {
  const live = found?.instances ?? [];
  const names = new Set(live.map(({ name }) => name));
  const addresses = new Set(live.map(addressText));
  const gone = view.live.filter((each) => !names.has(each.name) && !addresses.has(addressText(each)));
  const isOrderly = ({ instance }: Kept) => found?.twins.has(instance.name) ?? false;
  const lostNow = gone.map((instance) => ({ instance, since: now }));
  const disorderly = lostNow.filter((each) => !isOrderly(each));
  // An instance that is registered again under its name is not lost: one that comes and goes is not a mass.
  const stillLost = view.lost.filter(({ instance, since }) => now - since <= windowMs && !names.has(instance.name));
  const lost = [...stillLost, ...disorderly];
  const before = view.live.length + lost.length - disorderly.length;
  const isMass = found === null ? gone.length > 0 : lost.length > 1 && lost.length > before * MASS_SHARE;
  const wasMass = view.kept.length > 0;
  const kept = isMass ? [...view.kept, ...lost] : wasMass ? [...view.kept, ...disorderly] : view.kept;
  return {
    live,
    kept: stillMissing(kept, live, found?.twins ?? new Set()),
    lost: isMass ? [] : lost,
    left: [...view.left.filter(({ since }) => now - since <= windowMs), ...lostNow.filter(isOrderly)],
    mark: found?.mark ?? view.mark,
    exists: found !== null,
  };
}

/**
 * Without instances that are registered again, and without those that left in order meanwhile. One entry per address.
 */
function stillMissing(kept: readonly Kept[], live: readonly Instance[], twins: ReadonlySet<string>): Kept[] {
  const known = new Set(live.map(addressText));
  return kept.filter(({ instance }) => {
    const text = addressText(instance);
    if (known.has(text) || twins.has(instance.name)) return false;
    known.add(text);
    return true;
  });
}

/** Removes those that did not answer a look, and those that were kept too long. */
export function afterLooks(view: View, silent: ReadonlySet<string>, now: number): View {
  const stays = ({ instance, since }: Kept) => !silent.has(instance.name) && now - since <= MAX_FROZEN_MS;
  return { ...view, kept: view.kept.filter(stays) };
}

export type ListState = 'live' | 'frozen' | 'empty' | 'missing';

/** What a caller gets. `empty` and `missing` are answers, not errors. */
export interface ServiceList {
  readonly state: ListState;
  readonly instances: readonly Instance[];
  readonly mark: bigint | null;
  /** The names of instances that left in order recently, and may wait for this consumer. */
  readonly left: readonly string[];
}

export function listOf(view: View): ServiceList {
  const instances = withoutDoubles([...view.live, ...view.kept.map(({ instance }) => instance)]);
  const left = view.left.map(({ instance }) => instance.name);
  return { state: stateOf(view, instances), instances, mark: view.mark, left };
}

function stateOf(view: View, instances: readonly Instance[]): ListState {
  if (view.kept.length > 0) return 'frozen';
  if (instances.length > 0) return 'live';
  return view.exists ? 'empty' : 'missing';
}

/** Whether the second list lacks an address of the first. */
export function lostSomebody(before: ServiceList, after: ServiceList): boolean {
  const now = new Set(after.instances.map(addressText));
  return before.instances.some((instance) => !now.has(addressText(instance)));
}

/**
 * Whether the second list has only more addresses than the first. If not, an instance left that may wait for this
 * consumer, even where neither list names it: one that came and went between them.
 */
export const onlyGained = (before: ServiceList, after: ServiceList): boolean =>
  !lostSomebody(before, after) && lostSomebody(after, before);

/** Whether both lists have the same instances, so that nothing is to be applied. */
export const isSame = (before: ServiceList, after: ServiceList): boolean =>
  before.instances.length === after.instances.length &&
  before.instances.every(({ name }, at) => name === after.instances[at]?.name) &&
  !lostSomebody(before, after);

/** Whether an instance that the second list lacks left in order: it waits to learn that it gets no more requests. */
export function lostLeaver(before: ServiceList, after: ServiceList): boolean {
  const now = new Set(after.instances.map(addressText));
  return before.instances.some((instance) => !now.has(addressText(instance)) && after.left.includes(instance.name));
}
