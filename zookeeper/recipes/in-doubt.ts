import type { Clock } from '../../runtime/clock.ts';
import type { Session } from '../session.ts';
import type { QueueNode } from './queue-node.ts';

/**
 * Tells a holder that cannot stop at once, such as a process, when to stop. Guarantee: the signal fires 2/3 of the
 * session timeout after a server last answered, which is before the servers can end the session and another holder
 * begins; and at once if the node or the server session is gone. A shorter interruption after which the node is still
 * there has no effect. What breaks it: a paused machine, whose timers run late.
 */
export interface Doubt {
  readonly signal: AbortSignal;
  /** For how long after the signal the servers still keep the place, at least, ms; if it fired because of silence. */
  readonly spareMs: number;
  /** Ends the watch. */
  close(): void;
}

/** How often to check when a server last answered. */
const LOOK_MS = 100;

/** @param timeoutMs the session timeout, as negotiated. */
export function watchForDoubt(session: Session, place: QueueNode, timeoutMs: number, clock: Clock): Doubt {
  const doubt = new AbortController();
  const over = new AbortController();
  let answeredAt = clock.monotonic() - (session.vitals().silentMs ?? 0);
  let cancel = () => {};

  function look(): void {
    const { state, silentMs } = session.vitals();
    const now = clock.monotonic();
    if (state === 'connected' && silentMs !== undefined) answeredAt = Math.max(answeredAt, now - silentMs);
    if (state === 'lost' || state === 'closed') fire('the session is over');
    else if (now - answeredAt >= (timeoutMs * 2) / 3) fire('no server has answered for 2/3 of the session timeout');
    else cancel = clock.after(LOOK_MS, look);
  }

  function fire(why: string): void {
    close();
    doubt.abort(new DOMException(why, 'AbortError'));
  }

  function close(): void {
    cancel();
    off();
    over.abort();
  }

  async function watchNode(): Promise<void> {
    for await (const seen of session.watch(place.node, { signal: over.signal })) {
      if (!seen.exists || seen.stat.czxid !== place.fence) return fire('the node is gone');
    }
  }

  const off = session.onState(() => {
    if (over.signal.aborted) return;
    cancel();
    look();
  });
  look();
  watchNode().catch(() => fire('the node cannot be read'));
  return { signal: doubt.signal, spareMs: timeoutMs / 6, close };
}
