import type { Session } from '../session.ts';
import { inOrder } from './contention.ts';
import { leaseInTurn } from './lease-in-turn.ts';
import type { Held, QueueOptions } from './queue-node.ts';

/**
 * N numbered places, 0 to N-1, each held by at most one member: how a new instance finds its own place. A member gets
 * the lowest free one; who finds none stands by, in the order of coming, and takes the next one that is given up or whose
 * holder's session ends. Guarantee: of writes that carry a holder's guard none is accepted after the next one has the
 * slot. What breaks it: members that disagree about `slots`, and effects of a holder whose signal has fired (frozen,
 * cut off) that carry neither guard nor fence.
 */
export interface SlotOptions extends QueueOptions {
  /** How many there are; the same for all members. */
  readonly slots: number;
  readonly signal: AbortSignal;
  /** Called once when there are members before us for every slot: this one is a spare, until it gets a slot. */
  readonly onStandby?: () => void;
}

export interface Slot extends Held {
  readonly slot: number;
}

/** Waits until a slot is free; `signal` gives up. Survives lost sessions while it waits, at the price of its turn. */
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

/** The beginning of the name of a node that holds the lowest free slot; null where none is free. */
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
