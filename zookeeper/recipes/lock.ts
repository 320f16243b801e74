import { orAborted } from '../abortable.ts';
import type { Session } from '../session.ts';
import { enqueue, type Held, holdNode, leaveQueue, type QueueOptions, waitUntilHead } from './queue-node.ts';

/**
 * A lock for one holder at a time, given in the order in which it was asked for; a holder that dies or whose session is
 * lost frees it. Guarantee: of writes that carry the holder's guard none is accepted after the next holder has the lock.
 * What breaks it: effects that carry neither guard nor fence. A holder that was frozen believes for a moment that it
 * still holds, and no lock over a network can change that.
 *
 * Asks until it is held; `signal` gives up. Survives lost sessions while it waits, at the price of its place.
 *
 * Nothing in gitfleet itself needs a lock: it is here for programs that use this folder as a library.
 */
export async function acquireLock(session: Session, options: QueueOptions & { signal: AbortSignal }): Promise<Held> {
  const { signal } = options;
  for (;;) {
    const place = await orAborted(enqueue(session, 'lock-', options), signal, (late) => leaveQueue(session, late));
    try {
      const connection = await waitUntilHead(session, place, signal);
      if (connection) return holdNode(session, place, connection);
    } catch (error) {
      void leaveQueue(session, place);
      throw error;
    }
  }
}
