import { orAborted } from '../abortable.ts';
import { isCode } from '../errors.ts';
import { childPath } from '../paths.ts';
import { ANY_VERSION, type ChildrenSnapshot, type Operation, type Session } from '../session.ts';
import {
  enqueue,
  type Held,
  holdNode,
  leaveQueue,
  type QueueNode,
  type QueueOptions,
  UNTIL_ANSWERED,
  waitUntilHead,
} from './queue-node.ts';

export interface LeaseInTurnOptions extends QueueOptions {
  readonly signal: AbortSignal;
  /** Called for each reading while it waits, with the names below the path and the number of waiters before it. */
  readonly onWait?: (names: readonly string[], position: number) => void;
}

/** The beginning of the next lease's name, with a final dash; null while no lease is free. */
export type ChooseLease = (list: ChildrenSnapshot & { readonly exists: true }) => string | null;

/**
 * Acquires one of the leases below a path, which `choose` picks when it is our turn. Shared by semaphore and slots. All
 * wait in a queue, and each watches only the one before it. Only the head of the queue watches the leases, and turns
 * its place into a lease in one transaction. Guarantee: `choose` never sees fewer leases than there are, because only
 * the head creates one, and the servers refuse it once it is no longer in the queue.
 */
export async function leaseInTurn(session: Session, options: LeaseInTurnOptions, choose: ChooseLease): Promise<Held> {
  const { signal } = options;
  for (;;) {
    const place = await orAborted(enqueue(session, 'queue-', options), signal, (late) => leaveQueue(session, late));
    let lease: QueueNode | null = null;
    try {
      if (await waitUntilHead(session, place, signal, options.onWait)) {
        const made = leaseForHead(session, place, options, choose);
        lease = await orAborted(made, signal, (late) => late && leaveQueue(session, late));
      }
      if (!lease) continue;
      const connection = await session.connected(signal);
      // It may have gone with a session that was lost at this moment.
      const stat = await session.exists(lease.node, UNTIL_ANSWERED);
      if (stat?.ephemeralOwner === connection.sessionId) return holdNode(session, lease, connection);
    } catch (error) {
      void leaveQueue(session, lease ?? place);
      throw error;
    }
  }
}

/** Null if the place in the queue was lost in the meantime. */
async function leaseForHead(
  session: Session,
  place: QueueNode,
  options: LeaseInTurnOptions,
  choose: ChooseLease,
): Promise<QueueNode | null> {
  const { signal, onWait, path } = options;
  for await (const list of session.watchChildren(path, { signal })) {
    if (!list.exists) return null;
    const start = choose(list);
    if (start === null) {
      onWait?.(list.names, 0);
      continue;
    }
    try {
      const made = await session.transact(intoLease(place, start, options), UNTIL_ANSWERED);
      const node = made[1]?.path as string;
      const stat = await session.exists(node, UNTIL_ANSWERED);
      return stat && { node, fence: stat.czxid };
    } catch (error) {
      if (isCode(error, 'NO_NODE')) return null;
      throw error;
    }
  }
  return null;
}

function intoLease(place: QueueNode, start: string, { path, data, acl }: LeaseInTurnOptions): Operation[] {
  const lease = { data: data ?? Buffer.alloc(0), mode: 'ephemeral-sequential', ...(acl ? { acl } : {}) } as const;
  return [
    { op: 'remove', path: place.node, version: ANY_VERSION },
    { op: 'create', path: childPath(path, start), ...lease },
  ];
}
