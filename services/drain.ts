import { setMaxListeners } from 'node:events';
import type { Clock } from '../runtime/clock.ts';
import type { Session } from '../zookeeper/session.ts';
import { parseConsumer, serviceZnodes } from './contract.ts';

export interface DrainRule {
  /** For readers that acknowledge nothing: foreign programs, and consumers that vanished lately. */
  readonly atLeast: number;
  /** Then it goes on, and says who has not acknowledged. */
  readonly atMost: number;
}

export interface Drained {
  /** Who did not acknowledge in time, by id; empty: every known consumer did. */
  readonly unacknowledged: readonly string[];
  readonly acknowledged: number;
  readonly ms: number;
}

interface DrainParts {
  readonly session: Session;
  readonly service: string;
  readonly memory: ConsumerMemory;
  readonly clock: Clock;
}

/**
 * Waits until every known consumer has applied a list at least as new as the deletion of a registration. Guarantee: ends
 * within `atMost`, and not before `atLeast`. A consumer that registered after the deletion has read the list after it, and
 * is not waited for; neither is one that missed two drains, until it acknowledges again. What it does not do: know
 * readers that do not register.
 * @param zxid of the deletion; null: nothing was listed, so nobody has to be told.
 */
export async function awaitConsumers(
  parts: DrainParts,
  zxid: bigint | null,
  { atLeast, atMost }: DrainRule,
  signal: AbortSignal,
): Promise<Drained> {
  const { session, service, memory, clock } = parts;
  if (zxid === null) return { unacknowledged: [], acknowledged: 0, ms: 0 };
  const startedAt = clock.monotonic();
  const late = new AbortController();
  const cancel = clock.after(atMost, () => late.abort());
  const until = AbortSignal.any([signal, late.signal]);
  setMaxListeners(0, until); // Each consumer is watched until then.
  try {
    const ids = (await session.children(serviceZnodes(service).consumers)) ?? [];
    memory.note(ids, startedAt);
    const waited = ids.filter((id) => memory.isWaitedFor(id));
    const told = await Promise.all(waited.map(async (id) => ((await hasApplied(parts, id, zxid, until)) ? null : id)));
    signal.throwIfAborted();
    const unacknowledged = told.filter((id) => id !== null);
    for (const id of waited) memory.judge(id, !unacknowledged.includes(id));
    await clock.sleep(Math.max(0, Math.min(atLeast, atMost) - (clock.monotonic() - startedAt)), signal);
    const ms = clock.monotonic() - startedAt;
    return { unacknowledged, acknowledged: waited.length - unacknowledged.length, ms };
  } finally {
    cancel();
  }
}

/** False at the end of `signal` alone. One that goes away meanwhile uses the list no more, or is covered by time. */
async function hasApplied({ session, service }: DrainParts, id: string, zxid: bigint, signal: AbortSignal) {
  const path = serviceZnodes(service).consumer(id);
  try {
    for await (const seen of session.watch(path, { signal })) {
      if (!seen.exists || seen.stat.czxid > zxid) return true;
      const applied = BigInt(`0x${parseConsumer(seen.data)?.applied ?? '0'}`);
      if (applied >= zxid) return true;
    }
  } catch {
    // What cannot be read has not acknowledged.
  }
  return false;
}

/** What a leaver remembers of consumers between two drains. */
export interface ConsumerMemory {
  /** These are registered now. */
  note(ids: readonly string[], now: number): void;
  /** Whether it acknowledged in time. */
  judge(id: string, acknowledged: boolean): void;
  isWaitedFor(id: string): boolean;
}

const MISSED = 2;
const REMEMBERED_MS = 600_000;

export function createConsumerMemory(): ConsumerMemory {
  const known = new Map<string, { missed: number; seenAt: number }>();
  return {
    note(ids, now) {
      for (const [id, { seenAt }] of known) if (now - seenAt > REMEMBERED_MS) known.delete(id);
      for (const id of ids) known.set(id, { missed: known.get(id)?.missed ?? 0, seenAt: now });
    },
    judge(id, acknowledged) {
      const entry = known.get(id);
      if (entry) entry.missed = acknowledged ? 0 : entry.missed + 1;
    },
    isWaitedFor: (id) => (known.get(id)?.missed ?? 0) < MISSED,
  };
}
