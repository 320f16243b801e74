import type { Backoff } from '../runtime/backoff.ts';
import type { Clock, Random } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import { OPEN } from './acl.ts';
import { createBells } from './bells.ts';
import { createCalls } from './calls.ts';
import { parseConnectString } from './connect-string.ts';
import { withoutChroot } from './paths.ts';
import { createReads } from './reads.ts';
import { requestsBelow } from './requests.ts';
import { failureOfCode } from './result-codes.ts';
import type { AclEntry, ConnectedPeriod, Session, SessionState } from './session.ts';
import { type RenewCredentials, type SessionLoop, startSessionLoop } from './session-loop.ts';
import { createStateChanges, type StateChanges } from './state-changes.ts';
import { checkTls } from './tls-material.ts';
import { createWatches } from './watch.ts';
import { openConnection } from './wire/connection.ts';
import type { AuthEntry, Handshake, OpenConnection, TlsMaterial } from './wire/connection-types.ts';
import { createWrites } from './writes.ts';

export type { AuthEntry, Handshake, TlsMaterial } from './wire/connection-types.ts';

export interface SessionOptions {
  /** `host:port,host:port/chroot`. */
  readonly connect: string;
  /** Requested; the server may grant less or more. Default 15,000. */
  readonly sessionTimeoutMs?: number;
  readonly auth?: readonly AuthEntry[];
  /** For every node created without an access list. Required, because the client library's default is open to all. */
  readonly defaultAcl: 'open' | readonly AclEntry[];
  readonly tls?: TlsMaterial | undefined;
  /**
   * Called before each connection except the first, because credentials and certificates are renewed while a program
   * runs. If it fails, takes longer than 5 s, or returns unusable material or fewer credentials, the previous ones are
   * used.
   */
  readonly renewCredentials?: RenewCredentials | undefined;
  /**
   * The pause between attempts to connect, with full jitter. Default 100 ms to half the session timeout, 15 s at most,
   * so that a session which survived an outage of all servers is resumed before it expires.
   */
  readonly backoff?: Backoff;
  /** After a reconnect, the watched nodes are read again after a random part of this time. Default 200 ms. */
  readonly rereadSpreadMs?: number;
  /**
   * The server session of an earlier process, to continue with all its ephemerals. If the servers no longer know it, a
   * new one is made.
   */
  readonly resume?: Handshake | undefined;
  /** Receives each server session, so that a later process can continue it. It contains a secret, the password. */
  readonly onSession?: ((session: Handshake) => void) | undefined;
  /** Opens a connection to a server; default: a socket. A test may use servers that exist only in memory. */
  readonly openLink?: OpenConnection;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/**
 * Opens the one lasting handle of a program; session.ts has its contract. Returns at once and connects in the
 * background. Throws only for options that can never work: BAD_CONNECT_STRING, BAD_TLS.
 */
export function openSession(options: SessionOptions): Session {
  const { clock, random, log } = options;
  const { hosts, chroot } = parseConnectString(options.connect);
  checkTls(options.tls);
  const sessionTimeoutMs = options.sessionTimeoutMs ?? 15_000;
  const openedAt = clock.monotonic();
  const bells = createBells();
  const changes = createStateChanges(log);
  let cancelReread = () => {};
  let closed: Promise<void> | undefined;

  const lifeline = startSessionLoop({
    hosts,
    sessionTimeoutMs,
    backoff: options.backoff ?? { firstMs: 100, maxMs: Math.min(15_000, sessionTimeoutMs / 2) },
    auth: options.auth ?? [],
    tls: options.tls,
    renewCredentials: options.renewCredentials,
    openLink: options.openLink ?? openConnection,
    resume: options.resume,
    onSession: options.onSession,
    clock,
    random,
    log,
    onEvent: (_type, path) => bells.ringSoon(withoutChroot(chroot, path)),
    onState: (state) => queueMicrotask(() => announce(state)),
  });

  function announce(state: SessionState): void {
    changes.wakeWaiting();
    cancelReread();
    if (state === 'connected' && lifeline.reconnects > 0) {
      cancelReread = clock.after(random() * (options.rereadSpreadMs ?? 200), bells.ringAll);
    }
    if (state === 'closed') {
      bells.ringAll();
      calls.close();
    }
    changes.tellListeners(state);
  }

  const requests = requestsBelow(chroot);
  const { onceChanged } = changes;
  const calls = createCalls({ lifeline, clock, onceChanged, defaultMs: () => (lifeline.timeoutMs * 2) / 3 });
  const reads = createReads(requests, calls);
  const defaultAcl = options.defaultAcl === 'open' ? OPEN : options.defaultAcl;
  const writes = createWrites({ chroot, requests, calls, reads, defaultAcl, lifeline, clock, random, log });
  const closedByUs = () => lifeline.state === 'closed' && !lifeline.failure;
  const watches = createWatches({ reads, calls, bells, closedByUs, catchUp: writes.catchUp, clock, random, log });

  return {
    get state() {
      lifeline.now();
      return lifeline.state;
    },
    connected: (signal) => connected(lifeline, changes, signal),
    onState: changes.onState,
    get: reads.get,
    exists: reads.exists,
    children: reads.children,
    getAcl: reads.getAcl,
    ...writes,
    ...watches,
    vitals: () => ({
      state: lifeline.state,
      generation: lifeline.now()?.connection.generation ?? 0,
      incarnation: lifeline.incarnation,
      reconnects: lifeline.reconnects,
      trouble: lifeline.trouble,
      roundsWithoutListener: lifeline.roundsWithoutListener,
      silentMs: lifeline.now()?.link.silentFor(),
      roundTripMs: lifeline.now()?.link.rttMs(),
      callsWaiting: calls.waiting(),
      callsSent: lifeline.now()?.link.waiting() ?? 0,
      watchedPaths: bells.count(),
      openForMs: clock.monotonic() - openedAt,
    }),
    close() {
      closed ??= lifeline.close();
      return closed;
    },
    detach() {
      closed ??= Promise.resolve();
      lifeline.detach();
    },
  };
}

async function connected(lifeline: SessionLoop, changes: StateChanges, signal?: AbortSignal): Promise<ConnectedPeriod> {
  for (;;) {
    const connection = lifeline.now()?.connection;
    if (connection) return connection;
    if (lifeline.state === 'closed') {
      throw lifeline.failure ?? failureOfCode('CLOSED', { op: 'connected', path: '/', outcome: 'none' });
    }
    signal?.throwIfAborted();
    await changes.next(signal);
  }
}
