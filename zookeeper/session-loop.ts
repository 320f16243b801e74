import jute from 'node-zookeeper-client/lib/jute/index.js';
import { type Backoff, fullJitter } from '../runtime/backoff.ts';
import type { Clock, Random } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import { createRetryLoop, type RetryLoop } from '../runtime/retry-loop.ts';
import { orAborted } from './abortable.ts';
import { type Addresses, rotateAddresses } from './addresses.ts';
import type { Host } from './connect-string.ts';
import { ZooKeeperError } from './errors.ts';
import type { SessionState } from './session.ts';
import { initialStates, leave, type Period, type SessionStates, type Shown, shut, welcome } from './session-states.ts';
import { checkTls } from './tls-material.ts';
import { connectError } from './wire/connect-error.ts';
import type {
  Address,
  Answer,
  AuthEntry,
  Connection,
  ConnectionEnd,
  Handshake,
  OpenConnection,
  TlsMaterial,
} from './wire/connection-types.ts';

/**
 * Keeps a server session alive over successive connections, and makes a new one when it is lost (states and
 * transitions: session-states.ts). Guarantee: the state is `connected` only while a server was heard within 3/5 of the
 * session timeout, and `lost` no later than a whole timeout after the last byte, whether or not a server can be reached
 * to confirm it; every attempt after the first waits a random time. Not guaranteed: that a session is over. `lost` by
 * our own timer is a precaution: after an outage of all servers the session may still exist, and then the generation
 * stays the same.
 */
export function startSessionLoop(options: SessionLoopOptions): SessionLoop {
  const shown: Shown & Pick<SessionLoop, 'now' | 'saw' | 'close' | 'detach'> = {
    state: 'connecting',
    timeoutMs: options.sessionTimeoutMs,
    failure: undefined,
    lastZxid: 0n,
    incarnation: 1,
    reconnects: 0,
    trouble: null,
    roundsWithoutListener: 0,
    now: () => now(states),
    saw: (zxid) => saw(shown, zxid),
    close: () => close(states),
    detach: () => detach(states),
  };
  const states = initialStates(options, shown);
  const { random, clock } = options;
  const addresses = rotateAddresses(options.hosts, { random, clock, signal: states.closing.signal });
  const retryLoop = createRetryLoop(options);
  const { auth, tls } = options;
  const loop: Loop = { options, addresses, states, retryLoop, credentials: { auth, tls } };
  void keepConnecting(loop).catch((error: unknown) => endByDefect(loop, error));
  return shown;
}

/** What the next connection presents to the server. */
interface Credentials {
  readonly auth: readonly AuthEntry[];
  readonly tls?: TlsMaterial | undefined;
}

export type RenewCredentials = () => Promise<Credentials>;

interface SessionLoopOptions {
  readonly hosts: readonly Host[];
  readonly sessionTimeoutMs: number;
  readonly backoff: Backoff;
  readonly auth: readonly AuthEntry[];
  readonly tls?: TlsMaterial | undefined;
  readonly renewCredentials?: RenewCredentials | undefined;
  readonly openLink: OpenConnection;
  /** As in SessionOptions. */
  readonly resume?: Handshake | undefined;
  readonly onSession?: ((session: Handshake) => void) | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly onEvent: (type: number, path: string) => void;
  /** After each change of state. */
  readonly onState: (state: SessionState) => void;
}

/** The part that the session's calls use. */
export interface SessionLoop extends Readonly<Shown> {
  /**
   * The current period, if a server was heard recently. The call itself detects a silence, and then ends the period.
   */
  now(): Period | undefined;
  /** A reply named this transaction. */
  saw(zxid: bigint): void;
  close(): Promise<void>;
  detach(): void;
}

interface Loop {
  readonly options: SessionLoopOptions;
  readonly addresses: Addresses;
  readonly states: SessionStates;
  readonly retryLoop: RetryLoop;
  credentials: Credentials;
}

async function keepConnecting(loop: Loop): Promise<void> {
  const { states, addresses } = loop;
  const { backoff, clock, random, log } = loop.options;
  let withoutListener = 0;
  for (let first = true; states.shown.state !== 'closed'; first = false) {
    if (!first) await clock.sleep(fullJitter(backoff, states.attempt++, random), states.closing.signal);
    const address = await addresses.next().catch((error: Error) => {
      if (states.closing.signal.aborted) return undefined;
      states.shown.trouble = connectError(error);
      log.warn({ error }, 'no ZooKeeper host name can be resolved, retrying');
      return undefined;
    });
    if (!address || states.closing.signal.aborted) continue;
    if (!first) await renew(loop);
    if (states.closing.signal.aborted) continue;
    const how = await connect(loop, address);
    withoutListener = how.noListener ? withoutListener + 1 : 0;
    states.shown.roundsWithoutListener = Math.floor(withoutListener / addresses.count);
    states.shown.trouble = `${address.host}:${address.port}: ${how.words}`;
    const level = how.why === 'closed' ? 'debug' : 'info';
    log[level]({ host: address.host, ip: address.ip, port: address.port, ...how }, 'zookeeper connection ended');
  }
}

/** Certificates and credentials are replaced in their files: each connection uses the current content. */
async function renew(loop: Loop): Promise<void> {
  const { renewCredentials, clock } = loop.options;
  if (!renewCredentials) return;
  const { signal } = loop.states.closing;
  const late = new AbortController();
  const cancel = clock.after(RENEW_MS, () => late.abort(new Error('the files could not be read in time')));
  try {
    const renewed = await orAborted(renewCredentials(), AbortSignal.any([signal, late.signal]));
    checkTls(renewed.tls);
    // A file that is empty for a moment must not cost the session a role.
    if (renewed.auth.length < loop.credentials.auth.length) throw new Error('credentials are missing that were there');
    loop.credentials = renewed;
    loop.retryLoop.wentWell();
  } catch (error) {
    if (!signal.aborted)
      loop.retryLoop.failed(error, {}, 'cannot renew the ZooKeeper credentials, using the last ones');
  } finally {
    cancel();
  }
}

const RENEW_MS = 5_000;

/** One connection, from the first packet to its end. */
function connect(loop: Loop, address: Address): Promise<ConnectionEnd> {
  const { options, addresses, states } = loop;
  return new Promise((resolve) => {
    const mine: Connection = options.openLink({
      ...options,
      ...loop.credentials,
      address,
      handshakeMs: handshakeLimit(options.sessionTimeoutMs, addresses.count, states.attempt),
      resume: states.session,
      lastZxid: forgetsPast(loop) ? 0n : states.shown.lastZxid,
      onUp: (handshake) => void greet(loop, mine, handshake),
      onEnd: (end) => {
        leave(states, mine, end);
        resolve(end);
      },
    });
    states.connection = mine;
  });
}

/**
 * How long a server may take from the first packet to the handshake. The session timeout is divided among all
 * addresses, so that a healthy one is reached before the session is lost, but the share is 1 s to 5 s. It doubles after
 * each round in which no server was reached, up to 10 s: distant or overloaded servers may never meet a fixed limit.
 */
export function handshakeLimit(sessionTimeoutMs: number, addresses: number, attempt: number): number {
  const share = Math.max(1_000, Math.min(5_000, sessionTimeoutMs / addresses));
  return Math.round(Math.min(10_000, share * 2 ** Math.min(10, Math.floor(attempt / addresses))));
}

async function greet(loop: Loop, mine: Connection, handshake: Handshake): Promise<void> {
  const unsure = loop.states.shown.lastZxid > 0n && forgetsPast(loop);
  if (unsure && !(await comparePast(loop, mine))) return;
  welcome(loop.states, mine, handshake);
}

/**
 * Servers disconnect a client that has seen newer transactions than they have. A wiped ensemble would do so forever.
 */
const forgetsPast = ({ states, addresses }: Loop): boolean => states.refusals >= Math.max(2, addresses.count);

/** We connected without naming what we had seen. Find out, after a quorum write, whether transactions were lost. */
async function comparePast({ options, states }: Loop, mine: Connection): Promise<boolean> {
  const { shown } = states;
  const check = { type: jute.OP_CODES.CHECK, path: '/', version: -1 };
  const payload = new jute.TransactionRequest([check]);
  const answer = await new Promise<Answer>((resolve) => mine.send(jute.OP_CODES.MULTI, payload, resolve));
  if (answer.is !== 'reply') {
    mine.cut('no quorum behind this server');
    return false;
  }
  if (answer.zxid < shown.lastZxid) {
    shown.incarnation++;
    const zxids = { had: shown.lastZxid.toString(16), has: answer.zxid.toString(16) };
    const words = 'the ensemble lost transactions that this client had seen: its data were wiped or restored';
    options.log.warn({ code: 'ENSEMBLE_WENT_BACK', ...zxids }, words);
    shown.lastZxid = answer.zxid;
  }
  return true;
}

function endByDefect({ states, options }: Loop, error: unknown): void {
  if (states.closing.signal.aborted) return;
  states.shown.failure = new ZooKeeperError(
    { code: 'INTERNAL', reason: String(error) },
    { path: '/', outcome: 'unknown', cause: error },
  );
  options.log.error({ error }, 'the zookeeper session ends because of a defect in gitfleet');
  shut(states);
}

async function close(states: SessionStates): Promise<void> {
  const last = states.connection;
  shut(states);
  await last?.close(900);
}

/** The server session stays for its timeout, for the process that continues it. */
function detach(states: SessionStates): void {
  const last = states.connection;
  shut(states);
  last?.cut('left without ending the session');
}

function saw(shown: Shown, zxid: bigint): void {
  if (zxid > shown.lastZxid) shown.lastZxid = zxid;
}

function now(states: SessionStates): Period | undefined {
  // After this process was suspended, callers may run before the timers do.
  const link = states.period?.link;
  if (link && link.silentFor() > link.silentLimitMs()) link.cut('silent, seen by a caller');
  return states.period;
}
