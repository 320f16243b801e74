import type { NodeData } from '../session.ts';

/** The holder that a presence node names. Anyone may have written it. */
export interface Holder {
  readonly instanceId: string;
  readonly machineId: string;
  readonly data: Buffer;
}

export function readHolder(data: Buffer): Holder {
  let said: { instanceId?: unknown; machineId?: unknown } | null = null;
  try {
    said = JSON.parse(data.toString('utf8'));
  } catch {
    // Not written by gitfleet: no known instance holds it.
  }
  const text = (value: unknown) => (typeof value === 'string' ? value : '');
  return { instanceId: text(said?.instanceId) || 'unknown', machineId: text(said?.machineId), data };
}

interface Own {
  readonly instanceId: string;
  readonly machineId: string;
  /** Whether a node of another session is no presence of any process that could have our name. */
  readonly isFalse?: (found: NodeData) => boolean;
}

/** Taken by a clone on another machine, or by a newer process of our own machine, which we leave alone. */
export function isTaken(own: Own, newest: bigint, found: Holder, czxid: bigint): boolean {
  if (found.instanceId === own.instanceId) return false;
  return found.machineId !== own.machineId || (newest >= 0n && czxid > newest);
}

/**
 * Contested by a node of no live process. A node without a session that names our machine does not count: we try to
 * remove it first.
 */
export const isContested = ({ machineId, isFalse }: Own, found: NodeData): boolean =>
  found.stat.ephemeralOwner === 0n ? readHolder(found.data).machineId !== machineId : (isFalse?.(found) ?? false);
