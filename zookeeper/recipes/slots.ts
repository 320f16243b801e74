import type { Session } from '../session.ts';
import { inOrder } from './contention.ts';
import { leaseInTurn } from './lease-in-turn.ts';
import type { Held, QueueOptions } from './queue-node.ts';

/**
 * N numbered places, 0 to N-1, each held by at most one member: how a new instance finds its own place. A member gets
 * the lowest free slot. If there is none, it is a standby: standbys take the next slots that become free, in the order
 * of arrival. Guarantee: no write with a holder's guard is accepted after the next holder has the slot. What breaks it:
 * members that disagree about `slots`, and effects with neither guard nor fence of a holder whose signal has fired
 * (frozen, cut off).
 */
export interface SlotOptions extends QueueOptions {
  /** How many there are; must be the same for all members. */
  readonly slots: number;
  readonly signal: AbortSignal;
  /** Called once, if members before us have or will take every slot: this one is a standby until it gets a slot. */
  readonly onStandby?: () => void;
}

export interface Slot extends Held {
  readonly slot: number;
}

/** Waits for a free slot; `signal` gives up. While it waits, a lost session costs it its turn, but not the request. */
export async function acquireSlot(session: Session, options: SlotOptions): Promise<Slot> {
  const { slots, onStandby } = options;
  let told = false;
  const onWait = (names: readonly string[], position: number) => {
    if (told || inOrder(names, PREFIX).length + position < slots) return;
    told = true;
    onStandby?.();
  };
  const held = await leaseInTurn(session, { ...options, onWait }, ({ names }) => freeSlot(names, slots));
  return Object.assign(held, { slot: slotOf(held.node) as number });
}

/** The beginning of a node's name for the lowest free slot; null if none is free. */
function freeSlot(names: readonly string[], slots: number): string | null {
  const taken = new Set(inOrder(names, PREFIX).map(slotOf));
  for (let slot = 0; slot < slots; slot++) if (!taken.has(slot)) return `${PREFIX}${slot}-`;
  return null;
}

const PREFIX = 'slot-';
const NAME = /slot-(\d+)-[0-9a-f]+-\d{10}$/;
const slotOf = (node: string): number | undefined => {
  const [, slot] = NAME.exec(node) ?? [];
  return slot === undefined ? undefined : Number(slot);
};
