import { setMaxListeners } from 'node:events';
import type { Clock } from '../runtime/clock.ts';
import type { Session } from '../zookeeper/session.ts';
import { parseConsumer, serviceZnodes } from './contract.ts';

export interface DrainRule {
  /** For readers that do not acknowledge: other programs, and consumers that disappeared recently. */
  readonly atLeast: number;
  /** After this time the wait ends, and names those that have not acknowledged. */
  readonly atMost: number;
}

/** A consumer that did not acknowledge in time. */
export interface Unacknowledged {
  readonly id: string;
  /** What it says of itself: which program, where. Empty: its node could not be read. */
  readonly what: string;
}

export interface Drained {
  /** Empty: every known consumer acknowledged. */
  readonly unacknowledged: readonly Unacknowledged[];
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
 * Waits until every known consumer has applied a list at least as new as the deletion of a registration. Guarantee:
 * ends within `atMost`, and not before `atLeast`. A consumer that registered after the deletion has read a newer list
 * and is not waited for; neither is one that missed two drains, until it acknowledges again, but it is named. At most 10,000 consumers
 * are asked. Readers that do not register are not known here.
 * @param zxid of the deletion; null: there was no registration, so the wait ends at once.
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
    const all = (await session.children(serviceZnodes(service).consumers)) ?? [];
    const heard = await askAll(parts, memory.note(all, startedAt), zxid, until);
    signal.throwIfAborted();
    for (const [id, { applied, waited }] of heard) if (waited) memory.judge(id, zxid, applied);
    const unacknowledged = [...heard].flatMap(([id, { applied, what }]) => (applied ? [] : [{ id, what }]));
    // A timer may end a millisecond early.
    const left = () => Math.min(atLeast, atMost) - (clock.monotonic() - startedAt);
    while (left() > 0) await clock.sleep(Math.ceil(left()), signal);
    const ms = clock.monotonic() - startedAt;
    return { unacknowledged, acknowledged: heard.size - unacknowledged.length, ms };
  } finally {
    cancel();
  }
}

/** How many are watched at a time: a client that may add consumers may add any number, and each costs a watch. */
const ASKED_AT_ONCE = 500;

interface Heard {
  readonly applied: boolean;
  /** False: it was not waited for. */
  readonly waited: boolean;
  readonly what: string;
}

/**
 * Whether each of them has applied the list by the end of `signal`. They are asked in this order; the next one as soon
 * as one has answered. One that never acknowledges, such as a file without a reload, has no entry.
 */
async function askAll(parts: DrainParts, ids: readonly string[], zxid: bigint, signal: AbortSignal) {
  const heard = new Map<string, Heard>();
  const left = ids.values();
  const askNext = async () => {
    for (const id of left) {
      const skipped = await skippedOf(parts, id);
      if (skipped !== 'never acknowledged') heard.set(id, skipped ?? (await hear(parts, id, zxid, signal)));
    }
  };
  await Promise.all(Array.from({ length: Math.min(ASKED_AT_ONCE, ids.length) }, askNext));
  return heard;
}

/** Null: it is waited for. */
async function skippedOf({ session, service, memory }: DrainParts, id: string) {
  const missed = memory.missedBy(id);
  if (missed === null) return null;
  const node = await session.get(serviceZnodes(service).consumer(id)).catch(() => null);
  const { applied = '0', what = '' } = (node && parseConsumer(node.data)) ?? {};
  const mark = BigInt(`0x${applied}`);
  if (node !== null && mark >= missed) return null;
  return mark === 0n ? 'never acknowledged' : { applied: false, waited: false, what };
}

/**
 * Not applied at the end of `signal`, or if the node cannot be read. A consumer that goes away meanwhile no longer uses
 * the list, or is covered by time.
 */
async function hear({ session, service }: DrainParts, id: string, zxid: bigint, signal: AbortSignal): Promise<Heard> {
  const path = serviceZnodes(service).consumer(id);
  let what = '';
  try {
    for await (const seen of signal.aborted ? [] : session.watch(path, { signal })) {
      const applied = !seen.exists || seen.stat.czxid > zxid || appliedIn(seen.data) >= zxid;
      if (applied) return { applied, waited: true, what };
      what = parseConsumer(seen.data)?.what ?? '';
    }
  } catch {
    // A node that cannot be read has not acknowledged.
  }
  return { applied: false, waited: true, what };
}

const appliedIn = (data: Buffer): bigint => BigInt(`0x${parseConsumer(data)?.applied ?? '0'}`);

/** What a leaving instance remembers about consumers between two drains. */
export interface ConsumerMemory {
  /**
   * Notes which are registered now. Returns those that a drain asks: at most 10,000, first those that acknowledged
   * before.
   */
  note(ids: readonly string[], now: number): readonly string[];
  /** Notes whether it acknowledged the deletion with this zxid in time. */
  judge(id: string, zxid: bigint, acknowledged: boolean): void;
  /** For a consumer that missed two drains, the last deletion that it missed; null: it is waited for. */
  missedBy(id: string): bigint | null;
}

interface Remembered {
  readonly seenAt: number;
  readonly acknowledged: boolean;
  /** In a row. */
  readonly missed: number;
  readonly missedZxid: bigint;
}

const MISSED = 2;
const REMEMBERED_MS = 600_000;
const MOST = 10_000;

export function createConsumerMemory(): ConsumerMemory {
  let known = new Map<string, Remembered>();
  const of = (id: string): Remembered => known.get(id) ?? { seenAt: 0, acknowledged: false, missed: 0, missedZxid: 0n };
  return {
    note(ids, now) {
      const proven = ids.filter((id) => of(id).acknowledged);
      const asked = [...proven, ...ids.filter((id) => !of(id).acknowledged)].slice(0, MOST);
      const lately = [...known].filter(([, { seenAt }]) => now - seenAt <= REMEMBERED_MS);
      const present = asked.map((id): [string, Remembered] => [id, { ...of(id), seenAt: now }]);
      known = new Map([...lately, ...present].slice(-MOST));
      return asked;
    },
    judge(id, zxid, acknowledged) {
      const before = of(id);
      const missed = acknowledged ? { missed: 0 } : { missed: before.missed + 1, missedZxid: zxid };
      known.set(id, { ...before, acknowledged, ...missed });
    },
    missedBy: (id) => (of(id).missed < MISSED ? null : of(id).missedZxid),
  };
}
