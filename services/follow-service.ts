import { createBell } from '../runtime/bell.ts';
import type { Clock, Random } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import { createRetryLoop } from '../runtime/retry-loop.ts';
import type { ChildrenSnapshot, Session } from '../zookeeper/session.ts';
import { addressText, serviceZnodes } from './contract.ts';
import { type Instance, readInstances } from './instance.ts';
import { lookTcp } from './look.ts';
import { afterLooks, listOf, NO_VIEW, nextView, type ServiceList, type View } from './view.ts';

export interface FollowParts {
  readonly session: Session;
  readonly service: string;
  /** The instances that an earlier process knew; null: none that still count. */
  readonly before: readonly Instance[] | null;
  /** How a missing instance is checked. Default: whether it accepts a connection. */
  readonly look?: typeof lookTcp;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/**
 * The list of a service as an endless stream of the latest state, by the rules of view.ts. A list that ZooKeeper does
 * not confirm is never yielded as new: while ZooKeeper is away there are no items. Guarantee: an item has the pzxid at
 * which its names were read, and never names an instance that had left in order by then. Ends with its signal.
 */
export async function* followService(parts: FollowParts, signal: AbortSignal): AsyncGenerator<ServiceList, void> {
  const bell = createBell(parts.clock);
  const follower: Follower = {
    parts,
    view: { ...NO_VIEW, live: parts.before ?? [] },
    ring: bell.ring,
    heard: false,
    looking: null,
  };
  const ended = new AbortController();
  const both = AbortSignal.any([signal, ended.signal]);
  const reading = readForever(follower, both);
  let last = '';
  try {
    while (!signal.aborted) {
      const list = listOf(follower.view);
      const text = textOf(list);
      if (follower.heard && text !== last) {
        last = text;
        yield list;
        continue; // A change in the meantime is yielded at once.
      }
      await bell.wait(60_000, signal);
    }
  } finally {
    ended.abort();
    await reading;
  }
}

interface Follower {
  readonly parts: FollowParts;
  view: View;
  /** Whether ZooKeeper has answered, even if only that there is no such service. */
  heard: boolean;
  readonly ring: () => void;
  looking: Promise<void> | null;
}

const textOf = ({ state, instances, mark }: ServiceList): string =>
  JSON.stringify([state, String(mark), instances.map((each) => [each.name, addressText(each)])]);

async function readForever(follower: Follower, signal: AbortSignal): Promise<void> {
  const { session, service, clock } = follower.parts;
  const retryLoop = createRetryLoop(follower.parts);
  const reported = new Set<string>();
  while (!signal.aborted && session.state !== 'closed') {
    try {
      for await (const seen of session.watchChildren(serviceZnodes(service).list, { signal })) {
        await take(follower, seen, reported, signal);
        retryLoop.wentWell();
      }
    } catch (error) {
      if (signal.aborted) return;
      const pause = retryLoop.failed(error, { service }, 'cannot read the list of a service, retrying');
      await clock.sleep(pause, signal).catch(() => {});
    }
  }
}

async function take(follower: Follower, seen: ChildrenSnapshot, reported: Set<string>, signal: AbortSignal) {
  const { session, service, clock, log } = follower.parts;
  const { timeoutMs } = await session.connected(signal);
  const found = seen.exists ? await foundIn(follower, seen, reported) : null;
  const before = follower.view;
  follower.view = nextView(before, found, clock.monotonic(), timeoutMs);
  follower.heard = true;
  const frozen = follower.view.kept.length;
  if (frozen > 0 && before.kept.length === 0) {
    log.warn(
      { service, kept: frozen, live: follower.view.live.length },
      'many instances are lost at once: list frozen',
    );
    follower.looking ??= lookAtKept(follower, signal).finally(() => {
      follower.looking = null;
    });
  }
  follower.ring();
}

async function foundIn(follower: Follower, seen: ChildrenSnapshot & { exists: true }, reported: Set<string>) {
  const { session, service, log } = follower.parts;
  const paths = serviceZnodes(service);
  const before = follower.view.live;
  const instances = await readInstances({ session, service, log, reported, before }, seen.names);
  const names = new Set(instances.map(({ name }) => name));
  const lost = before.some(({ name }) => !names.has(name));
  // Read after the values: if a session ended while they were read, its twin is gone by now, and it has not left in
  // order.
  const twins = lost || follower.view.kept.length > 0 ? await session.children(paths.instances).catch(() => null) : [];
  return { instances, mark: seen.stat.pzxid, twins: new Set(twins ?? []) };
}

const LOOKS_AT_ONCE = 5;
const LOOK_MS = 2_000;
/** The pause between rounds of looks, plus or minus half of it at random. */
const ROUND_MS = 5_000;

async function lookAtKept(follower: Follower, signal: AbortSignal): Promise<void> {
  const { clock, random } = follower.parts;
  while (!signal.aborted && follower.view.kept.length > 0) {
    const silent = await silentOf(follower, signal);
    if (signal.aborted) return;
    follower.view = afterLooks(follower.view, silent, clock.monotonic());
    follower.ring();
    await clock.sleep(ROUND_MS * (0.5 + random()), signal).catch(() => {});
  }
}

async function silentOf({ view, parts }: Follower, signal: AbortSignal): Promise<Set<string>> {
  const { look = lookTcp } = parts;
  const silent = new Set<string>();
  const left = view.kept.map(({ instance }) => instance);
  const worker = async () => {
    for (let instance = left.shift(); instance && !signal.aborted; instance = left.shift()) {
      await parts.clock.sleep(parts.random() * 50, signal).catch(() => {});
      const wrong = await look(addressText(instance), LOOK_MS, parts.clock, signal);
      if (wrong !== null && !signal.aborted) silent.add(instance.name);
    }
  };
  await Promise.all(Array.from({ length: LOOKS_AT_ONCE }, worker));
  return silent;
}
