import { setMaxListeners } from 'node:events';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import type { ZooKeeperError } from './errors.ts';
import { errorFor } from './result-codes.ts';
import type { ConnectedPeriod, SessionState } from './session.ts';
import type { Connection, ConnectionEnd, Handshake } from './wire/connection-types.ts';

/**
 * The states of our session and every transition between them; only `enter` changes the state. session-loop.ts opens
 * the connections, whose welcome and end drive the transitions.
 *
 *                 welcome               the connection ends             the timeout passes, or `expired`
 *   connecting ────────────▶ connected ─────────────────────▶ suspended ────────────────────────────────▶ lost
 *                             ▲    ▲                              │                                        │
 *                             │    └───────── welcome ────────────┘                                        │
 *                             └────────────────────────────── welcome ─────────────────────────────────────┘
 *   any ── closed by us, a refused credential, a defect of ours ──▶ closed
 *
 * - `connecting`, `lost`: there is no session to lose. The addresses are tried one after another.
 * - `connected`: `period` is set, for the connection that was welcomed. Leaving the state aborts the period's signal.
 * - `suspended`: entered with a timer for the rest of the timeout (`cancelLost`); attempts to connect continue with the
 *   session's identity. A welcome with another identity passes through `lost`, so that every holder is notified.
 * - `closed`: final; no further attempts.
 */
export interface SessionStates {
  readonly options: SessionStatesOptions;
  /** Aborted when the state becomes `closed`. */
  readonly closing: AbortController;
  readonly shown: Shown;
  /** The connection that is open or being opened. */
  connection: Connection | undefined;
  /** Set while `connected`, and only then. */
  period: Period | undefined;
  /** The server session to resume; undefined: the next handshake makes a new one. */
  session: Handshake | undefined;
  generation: number;
  /** Attempts to connect since the last period that lasted a while. */
  attempt: number;
  /** Consecutive handshakes in which a server disconnected us. */
  refusals: number;
  /** Cancels the timer that runs while `suspended`. */
  cancelLost: () => void;
}

interface SessionStatesOptions {
  readonly sessionTimeoutMs: number;
  readonly clock: Clock;
  readonly log: Logger;
  /** The server session of an earlier process, to be continued. */
  readonly resume?: Handshake | undefined;
  /** Receives each server session that is made or continued. */
  readonly onSession?: ((session: Handshake) => void) | undefined;
  /** After each change of state. */
  readonly onState: (state: SessionState) => void;
}

export interface Period {
  readonly link: Connection;
  readonly connection: ConnectedPeriod;
  readonly end: AbortController;
}

/** What the session's calls see. Plain members: every call reads them, and accessors are slower. */
export interface Shown {
  state: SessionState;
  /** As last negotiated, or as it will be requested. */
  timeoutMs: number;
  /** Why the session is closed, if not by us. */
  failure: ZooKeeperError | undefined;
  /** The newest transaction that any reply named. */
  lastZxid: bigint;
  /** Starts at 1, and grows each time the ensemble was found to have lost transactions that we had seen. */
  incarnation: number;
  reconnects: number;
  /** Why the last connection failed or ended, for a person; null while none has. */
  trouble: string | null;
  /** Consecutive rounds in which every address refused the connection because nothing listens there. */
  roundsWithoutListener: number;
}

export function initialStates(options: SessionStatesOptions, shown: Shown): SessionStates {
  return {
    options,
    closing: new AbortController(),
    shown,
    connection: undefined,
    period: undefined,
    session: options.resume,
    generation: 0,
    attempt: 0,
    refusals: 0,
    cancelLost: () => {},
  };
}

/** A server accepted us over `mine`. */
export function welcome(states: SessionStates, mine: Connection, handshake: Handshake): void {
  const { shown } = states;
  if (states.connection !== mine || shown.state === 'closed') return;
  states.refusals = 0;
  states.cancelLost();
  const same = states.session?.id.equals(handshake.id) ?? false;
  if (!same && shown.state === 'suspended') enter(states, 'lost');
  if (!same || states.generation === 0) {
    states.generation++;
    states.options.onSession?.(handshake);
  }
  if (shown.state !== 'connecting') shown.reconnects++;
  states.session = handshake;
  shown.timeoutMs = handshake.timeoutMs;
  states.period = beginPeriod(states, mine, handshake);
  enter(states, 'connected');
}

function beginPeriod(states: SessionStates, link: Connection, { id, timeoutMs }: Handshake): Period {
  const end = new AbortController();
  setMaxListeners(0, end.signal); // Every recipe listens to it, and a program may use many.
  // A connection that is dropped at once is no success: the backoff grows until a period has lasted a while.
  const cancelStable = states.options.clock.after(Math.max(1_000, timeoutMs / 5), () => {
    states.attempt = 0;
  });
  end.signal.addEventListener('abort', cancelStable, { once: true });
  const { generation } = states;
  return { link, end, connection: { generation, sessionId: id.readBigInt64BE(), timeoutMs, signal: end.signal } };
}

/** The connection `mine` is over. */
export function leave(states: SessionStates, mine: Connection, how: ConnectionEnd): void {
  const { shown, options } = states;
  if (states.connection === mine) states.connection = undefined;
  if (how.why === 'refused') states.refusals++;
  if (how.why === 'auth-failed') refuse(states, how);
  if (how.why === 'expired') {
    states.session = undefined;
    shown.timeoutMs = options.sessionTimeoutMs;
  }
  if (states.period?.link === mine) endPeriod(states, states.period, how);
  if (how.why === 'expired' && shown.state === 'suspended') {
    states.cancelLost();
    enter(states, 'lost');
  }
}

function endPeriod(states: SessionStates, { connection, link, end }: Period, how: ConnectionEnd): void {
  states.period = undefined;
  if (states.shown.state === 'connected') suspend(states, connection.timeoutMs - link.silentFor());
  end.abort(new DOMException(`the ZooKeeper session is ${states.shown.state}: ${how.words}`, 'AbortError'));
}

function suspend(states: SessionStates, untilLostMs: number): void {
  enter(states, 'suspended');
  states.cancelLost = states.options.clock.after(Math.max(0, untilLostMs), () => {
    if (states.shown.state === 'suspended') enter(states, 'lost');
  });
}

function refuse(states: SessionStates, how: ConnectionEnd): void {
  const failure = errorFor(-115, { op: 'authenticate', path: '/' });
  states.shown.failure = failure;
  states.options.log.error({ code: failure.code, hint: failure.hint }, how.words);
  shut(states);
}

/** Closes for good. Legal in any state. */
export function shut(states: SessionStates): void {
  if (states.shown.state === 'closed') return;
  states.cancelLost();
  const end = states.period?.end;
  states.period = undefined;
  enter(states, 'closed');
  states.closing.abort(new DOMException('the session is closed', 'AbortError'));
  end?.abort(new DOMException('the ZooKeeper session is closed', 'AbortError'));
}

function enter({ shown, options, generation }: SessionStates, next: SessionState): void {
  if (shown.state === next || shown.state === 'closed') return;
  shown.state = next;
  options.log.info({ state: next, generation }, `zookeeper session ${next}`);
  options.onState(next);
}
