import { orAborted } from '../zookeeper/abortable.ts';
import type { ServiceAccess } from './access.ts';
import { isRecent, keepCache, readCache, saveList } from './cache.ts';
import { type CallTally, createCallTally } from './call-tally.ts';
import { type ConsumerSide, openConsumer } from './consumer.ts';
import { addressText } from './contract.ts';
import { type FollowParts, followService } from './follow-service.ts';
import type { Instance } from './instance.ts';
import { type PickRule, pickFrom } from './pick.ts';
import { onlyGained, type ServiceList } from './view.ts';

/**
 * The list of a service in the memory of a program that calls it, kept current by a watch, and picks from it.
 * Guarantee: an instance that left the list is no longer picked. The list without it is acknowledged once every `call`
 * to it has ended, so an instance that waits for its consumers loses no request of this one. An instance with two
 * errors within 30 s is put aside for 30 s. While ZooKeeper is away the list stays as it is. Not done here: repeating a
 * request, and covering what a program sends to an instance that it picked without `call`.
 */
export interface CallerSide {
  /** The list as currently known. */
  readonly list: ServiceList;
  /** When ZooKeeper last confirmed the list, ms since the epoch; null: it is confirmed now. */
  readonly asOf: number | null;
  /** @throws FleetError NO_INSTANCE */
  pick(rule?: Partial<PickRule>): Instance;
  /** Performs one request at an instance picked for it. @throws FleetError NO_INSTANCE, and what the request throws */
  call<T>(request: (instance: Instance) => Promise<T>, rule?: Partial<PickRule>): Promise<T>;
  /** Calls the listener after each change of the list. */
  onChange(listener: () => void): () => void;
  close(): Promise<void>;
}

export interface CallerParts extends Omit<FollowParts, 'before'> {
  readonly access: ServiceAccess;
  /** Unique among all consumers of the service. */
  readonly id: string;
  /** A description for people. */
  readonly what: string;
  /** The directory that keeps the list for the next process; null: none. */
  readonly cacheDirectory: string | null;
}

interface State {
  readonly parts: CallerParts;
  readonly calls: CallTally;
  readonly consumer: ConsumerSide;
  readonly listeners: Set<() => void>;
  list: ServiceList;
  /** Whether ZooKeeper has answered in this process. */
  heard: boolean;
  asOf: number;
  /** The mark of a list that an instance may wait for, until it is acknowledged. */
  owed: bigint | null;
  /** Acknowledges the list later; null: nothing is planned. */
  later: (() => void) | null;
}

/**
 * Resolves once a list is known. That is at once if an earlier process kept one on disk, which counts until ZooKeeper
 * has answered. Otherwise it is the first answer of ZooKeeper, or a rejection with the reason of `signal`.
 */
export async function openCaller(parts: CallerParts, signal: AbortSignal): Promise<CallerSide> {
  const { session, service, cacheDirectory, clock } = parts;
  const cached = cacheDirectory === null ? null : await readCache(cacheDirectory, service);
  const state: State = {
    parts,
    calls: createCallTally(clock),
    consumer: openConsumer(parts),
    listeners: new Set(),
    list: { state: cached ? 'live' : 'missing', instances: cached?.instances ?? [], mark: null, left: [] },
    heard: false,
    asOf: cached?.at ?? 0,
    owed: null,
    later: null,
  };
  const stop = new AbortController();
  const firstAnswer = new Promise<void>((resolve) => state.listeners.add(resolve));
  const before = cached && isRecent(cached, clock.now()) ? cached.instances : null;
  const following = Promise.all([
    follow(state, before, stop.signal),
    keepCache(parts, () => confirmed(state), stop.signal),
  ]);
  const offState = session.onState((now) => {
    if (state.heard && now === 'suspended') state.asOf = clock.now();
    if (now === 'closed') stop.abort();
  });
  const caller = callerOf(state, async () => {
    offState();
    stop.abort();
    state.later?.();
    await state.consumer.close();
    await following;
  });
  if (cached) return caller;
  await orAborted(Promise.race([firstAnswer, following]), signal).catch(async (error: unknown) => {
    await caller.close();
    throw error;
  });
  return caller;
}

function callerOf(state: State, close: CallerSide['close']): CallerSide {
  const { calls } = state;
  return {
    get list() {
      return state.list;
    },
    get asOf() {
      return confirmed(state) === null ? state.asOf : null;
    },
    pick: (rule = {}) => pickNow(state, rule),
    async call(request, rule = {}) {
      try {
        return await calls.perform(pickNow(state, rule), request);
      } finally {
        acknowledge(state);
      }
    },
    onChange(listener) {
      state.listeners.add(listener);
      return () => state.listeners.delete(listener);
    },
    close,
  };
}

/** Null: ZooKeeper does not confirm the list now. */
const confirmed = ({ heard, list, parts }: State): ServiceList | null =>
  heard && parts.session.state === 'connected' ? list : null;

/** Many instances come at once: a list that only gained some is acknowledged at most so often. */
const GAINED_MS = 1_000;

/** Registers before it reads: an instance that leaves after that waits for this consumer. */
async function follow(state: State, before: readonly Instance[] | null, signal: AbortSignal): Promise<void> {
  const { parts } = state;
  await state.consumer.registered();
  for await (const list of followService({ ...parts, before }, signal)) {
    const isFirst = !state.heard || state.list.state === 'missing';
    const waits = isFirst || !onlyGained(state.list, list);
    state.list = list;
    state.heard = true;
    if (waits) owe(state);
    else state.later ??= parts.clock.after(GAINED_MS, () => owe(state));
    acknowledge(state);
    for (const listener of [...state.listeners]) listener();
    await saveList(parts, list);
  }
}

function owe(state: State): void {
  state.later?.();
  state.later = null;
  state.owed = state.list.mark;
  acknowledge(state);
}

/** Not while a request is in flight at an instance that left: more of it may still be written there. */
function acknowledge(state: State): void {
  const listed = new Set(state.list.instances.map(addressText));
  if (state.owed === null || state.calls.runElsewhere(listed)) return;
  state.consumer.applied(state.owed);
  state.owed = null;
}

/** @throws FleetError NO_INSTANCE */
function pickNow({ parts, list, calls }: State, rule: Partial<PickRule>): Instance {
  const { service, clock, random } = parts;
  const instance = pickFrom(service, list, rule, calls.memory, clock.monotonic(), random);
  calls.notePick();
  return instance;
}
