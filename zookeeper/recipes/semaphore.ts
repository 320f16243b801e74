import { orAborted } from '../abortable.ts';
import { isCode } from '../errors.ts';
import { childPath } from '../paths.ts';
import { ANY_VERSION, type Operation, type Session } from '../session.ts';
import { inOrder } from './contention.ts';
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

interface LeaseOptions extends QueueOptions {
  /** How many may hold one at a time; the same for all who ask. */
  readonly leases: number;
  readonly signal: AbortSignal;
}

/**
 * One of a fixed number of leases, given in the order in which it was asked for; a dead holder's comes back with its
 * session. All wait in a queue, each watching only the one before; the head of the queue alone watches the leases, and
 * turns its place into a lease in one transaction. Guarantee: no more leases than `leases` at any time, since only the
 * head makes one and the servers refuse it once it is not in the queue. What breaks it: askers that disagree about
 * `leases`, and effects of a holder whose signal has fired (frozen, cut off) that carry no guard.
 */
export async function acquireLease(session: Session, options: LeaseOptions): Promise<Held> {
  const { signal } = options;
  for (;;) {
    const place = await orAborted(enqueue(session, 'queue-', options), signal, (late) => leaveQueue(session, late));
    let lease: QueueNode | null = null;
    try {
      if (await waitUntilHead(session, place, signal)) {
        const made = leaseForHead(session, place, options);
        lease = await orAborted(made, signal, (late) => late && leaveQueue(session, late));
      }
      if (!lease) continue;
      const connection = await session.connected(signal);
      // It may have gone with a session that was lost in this very moment.
      const stat = await session.exists(lease.node, UNTIL_ANSWERED);
      if (stat?.ephemeralOwner === connection.sessionId) return holdNode(session, lease, connection);
    } catch (error) {
      void leaveQueue(session, lease ?? place);
      throw error;
    }
  }
}

/** Null when the place in the queue was lost meanwhile. */
async function leaseForHead(session: Session, place: QueueNode, options: LeaseOptions): Promise<QueueNode | null> {
  const acl = options.acl ? { acl: options.acl } : {};
  const data = options.data ?? Buffer.alloc(0);
  const path = childPath(options.path, 'lease-');
  const operations: Operation[] = [
    { op: 'remove', path: place.node, version: ANY_VERSION },
    { op: 'create', path, data, mode: 'ephemeral-sequential', ...acl },
  ];
  for await (const list of session.watchChildren(options.path, { signal: options.signal })) {
    if (!list.exists) return null;
    if (inOrder(list.names, 'lease-').length >= options.leases) continue;
    try {
      const node = (await session.transact(operations, UNTIL_ANSWERED))[1]?.path as string;
      const stat = await session.exists(node, UNTIL_ANSWERED);
      return stat && { node, fence: stat.czxid };
    } catch (error) {
      if (isCode(error, 'NO_NODE')) return null;
      throw error;
    }
  }
  return null;
}
