import { orAborted } from '../abortable.ts';
import type { Session } from '../session.ts';
import { type Held, hold, leavePlace, type PlaceOptions, takePlace, untilFirst } from './queue-node.ts';

/**
 * A lock for one holder at a time, given in the order in which it was asked for; a holder that dies or whose session is
 * lost frees it. Guarantee: of writes that carry the holder's guard none is accepted after the next holder has the lock.
 * What breaks it: effects that carry neither guard nor fence. A holder that was frozen believes for a moment that it
 * still holds, and no lock over a network can change that.
 *
 * Asks until it is held; `signal` gives up. Survives lost sessions while it waits, at the price of its place.
 */
export async function acquireLock(session: Session, options: PlaceOptions & { signal: AbortSignal }): Promise<Held> {
  const { signal } = options;
  for (;;) {
    const place = await orAborted(takePlace(session, 'lock-', options), signal, (late) => leavePlace(session, late));
    try {
      const connection = await untilFirst(session, place, signal);
      if (connection) return hold(session, place, connection);
    } catch (error) {
      void leavePlace(session, place);
      throw error;
    }
  }
}
