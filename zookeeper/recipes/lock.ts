import { orAborted } from '../abortable.ts';
import type { Session } from '../session.ts';
import { enqueue, type Held, holdNode, leaveQueue, type QueueOptions, waitUntilHead } from './queue-node.ts';

/**
 * A lock for one holder at a time, granted in the order of requests. A holder that dies or loses its session frees it.
 * Guarantee: no write with the holder's guard is accepted after the next holder has the lock.
 * What breaks it: effects with neither guard nor fence. A holder that was frozen believes for a moment that it still
 * has the lock; no lock over a network can change that.
 *
 * Waits until it holds the lock; `signal` gives up. While it waits, a lost session costs it its place, but not the
 * request.
 *
 * For `gitfleet lock` and for programs that use the library; no other part of gitfleet needs a lock.
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
