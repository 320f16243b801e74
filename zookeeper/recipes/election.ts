import { type Backoff, fullJitter, spread } from '../../runtime/backoff.ts';
import type { Clock, Random } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import { createRetryLoop } from '../../runtime/retry-loop.ts';
import { orDisconnected } from '../abortable.ts';
import { childPath, nameOf } from '../paths.ts';
import { ANY_VERSION, type Session } from '../session.ts';
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
  /** The maximum number of candidates; others check again periodically. Default 7. */
  readonly most?: number;
  /** How often one that found no room checks again, ms; spread by 50 %. Default 30,000. */
  readonly lookAgainMs?: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

const PLACES = new WeakMap<Session, Set<string>>();

const AGAIN: Backoff = { firstMs: 200, maxMs: 15_000 };

/**
 * One leader among the candidates, for as long as the candidacy lasts: a candidate that loses its session stands again
 * automatically. Only a few stand (7), because each candidate costs a node and a watch, and a fleet does not need a
 * thousand successors.
 * Guarantee: the fences of successive leaders rise, and no write with a term's guard is accepted after the next
 * leader's term began. What breaks it: writes without the guard, as with a lock. A term ends on `suspended`, when its
 * signal fires. If the same session comes back in time and is still first, a new term with the same fence begins.
 */
export function standForElection(session: Session, options: ElectionOptions): Candidacy {
  const { clock, random, log, most = 7 } = options;
  const stop = new AbortController();
  const listeners = new Set<(term: Term | undefined) => void>();
  let place: QueueNode | undefined;
  let term: Held | undefined;
  /** The session that the last place belonged to. */
  let stoodAs: bigint | undefined;
  /** The places of all candidacies on this session, because one program may stand twice in one election. */
  const known = PLACES.get(session) ?? new Set<string>();
  PLACES.set(session, known);

  async function stand(): Promise<void> {
    const retryLoop = createRetryLoop({ clock, random, log }, (attempt) => fullJitter(AGAIN, attempt, random));
    while (!stop.signal.aborted) {
      try {
        place = await findRoom();
        while (place) {
          const connection = await waitUntilHead(session, place, stop.signal);
          // `leave` waits for this loop to end, and then removes the place.
          if (stop.signal.aborted) return;
          if (!connection) place = forget(place);
          else await lead(holdNode(session, place, connection));
        }
        retryLoop.wentWell();
      } catch (error) {
        if (stop.signal.aborted || session.state === 'closed') return;
        const wait = retryLoop.failed(error, { path: options.path }, 'cannot stand for election, retrying');
        if (place) await leaveQueue(session, place);
        place = forget(place);
        await pause(wait);
      }
    }
  }

  /** A place among the first `most`; undefined if there is none at the moment. */
  async function findRoom(): Promise<QueueNode | undefined> {
    const { sessionId } = await session.connected(stop.signal);
    if (sessionId === stoodAs) await removeStrays(sessionId);
    const candidates = async () => (await session.children(options.path)) ?? [];
    if (inOrder(await candidates(), 'candidate-').length < most) {
      const found = await enqueue(session, 'candidate-', options);
      stoodAs = sessionId;
      known.add(found.node);
      // Several may have seen the last free place: those behind it withdraw.
      const turn = whoseTurn(await candidates(), nameOf(found.node));
      if (turn && turn.position < most && !stop.signal.aborted) return found;
      await leaveQueue(session, found);
      forget(found);
    }
    await pause(spread(options.lookAgainMs ?? 30_000, 0.5, random));
    return undefined;
  }

  function forget(left: QueueNode | undefined): undefined {
    if (left) known.delete(left.node);
  }

  /**
   * When we stand again with the same session, we have no place. A candidate of that session which is not in `known`
   * came back with restored data, and otherwise only the end of the session would remove it.
   */
  async function removeStrays(sessionId: bigint): Promise<void> {
    for (const name of (await session.children(options.path)) ?? []) {
      const node = childPath(options.path, name);
      const stat = await session.exists(node);
      if (stat?.ephemeralOwner === sessionId && !known.has(node))
        await session.remove(node, ANY_VERSION).catch(() => {});
    }
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
