import { type Backoff, fullJitter, spread } from '../../runtime/backoff.ts';
import type { Clock, Random } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import { createRetryLoop } from '../../runtime/retry-loop.ts';
import { orDisconnected } from '../abortable.ts';
import { nameOf } from '../paths.ts';
import type { Session } from '../session.ts';
import type { Candidacy, Term } from './candidacy.ts';
import { inOrder, whoseTurn } from './contention.ts';
import {
  enqueue,
  type Held,
  holdNode,
  leaveQueue,
  type QueueNode,
  type QueueOptions,
  waitUntilHead,
} from './queue-node.ts';

export interface ElectionOptions extends QueueOptions {
  /** No more candidates than this: the others look again now and then. Default 7. */
  readonly most?: number;
  /** How often one who found no room looks again, ms; spread by 50 %. Default 30,000. */
  readonly lookAgainMs?: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

const AGAIN: Backoff = { firstMs: 200, maxMs: 15_000 };

/**
 * One leader among the candidates, for as long as the candidacy lasts: a candidate that loses its session stands again automatically.
 * Few stand (7), because each candidate is a node and a watch, and a fleet needs a leader and not a thousand heirs.
 * Guarantee: terms have rising fences, and of writes that carry a term's guard none is accepted after the next term
 * began. What breaks it: writes without the guard, as with a lock. A term ends with its signal on `suspended`; when
 * the same session comes back in time and still stands first, a new term with the same fence begins.
 */
export function standForElection(session: Session, options: ElectionOptions): Candidacy {
  const { clock, random, log, most = 7 } = options;
  const stop = new AbortController();
  const listeners = new Set<(term: Term | undefined) => void>();
  let place: QueueNode | undefined;
  let term: Held | undefined;

  async function stand(): Promise<void> {
    const retryLoop = createRetryLoop({ clock, random, log }, (attempt) => fullJitter(AGAIN, attempt, random));
    while (!stop.signal.aborted) {
      try {
        place = await findRoom();
        while (place) {
          const connection = await waitUntilHead(session, place, stop.signal);
          // `leave` waits for this to end, and gives the place back.
          if (stop.signal.aborted) return;
          if (!connection) place = undefined;
          else await lead(holdNode(session, place, connection));
        }
        retryLoop.wentWell();
      } catch (error) {
        if (stop.signal.aborted || session.state === 'closed') return;
        const wait = retryLoop.failed(error, { path: options.path }, 'cannot stand for election, retrying');
        if (place) await leaveQueue(session, place);
        place = undefined;
        await pause(wait);
      }
    }
  }

  /** A place among the first `most`, or undefined when there is none at present. */
  async function findRoom(): Promise<QueueNode | undefined> {
    await session.connected(stop.signal);
    const candidates = async () => (await session.children(options.path)) ?? [];
    if (inOrder(await candidates(), 'candidate-').length < most) {
      const found = await enqueue(session, 'candidate-', options);
      // Several may have seen the last room: those behind it step back.
      const turn = whoseTurn(await candidates(), nameOf(found.node));
      if (turn && turn.position < most && !stop.signal.aborted) return found;
      await leaveQueue(session, found);
    }
    await pause(spread(options.lookAgainMs ?? 30_000, 0.5, random));
    return undefined;
  }

  async function lead(held: Held): Promise<void> {
    term = held;
    log.info({ path: options.path, fence: held.fence.toString(16) }, 'leading');
    tell(held);
    await new Promise<void>((resolve) => {
      if (held.signal.aborted) resolve();
      held.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    term = undefined;
    log.info({ path: options.path, fence: held.fence.toString(16) }, 'lost leadership');
    tell(undefined);
  }

  function tell(now: Term | undefined): void {
    for (const listener of [...listeners]) {
      try {
        listener(now);
      } catch (error) {
        log.error({ error }, 'a listener to the election threw');
      }
    }
  }

  const pause = (ms: number) => clock.sleep(ms, stop.signal).catch(() => {});
  const stood = stand();
  let left: Promise<void> | undefined;

  async function leave(): Promise<void> {
    stop.abort(new DOMException('left the election', 'AbortError'));
    const leading = term;
    if (leading) await leading.release();
    const gone = stood.then(() => (leading || !place ? undefined : leaveQueue(session, place)));
    await orDisconnected(session, gone);
  }

  return {
    get term() {
      return term && !term.signal.aborted ? term : undefined;
    },
    get standing() {
      return place !== undefined && !stop.signal.aborted;
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    leave() {
      left ??= leave();
      return left;
    },
  };
}
