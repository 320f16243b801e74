import { setMaxListeners } from 'node:events';
import jute from 'node-zookeeper-client/lib/jute/index.js';
import { type Backoff, fullJitter } from '../runtime/backoff.ts';
import type { Clock, Random } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import { rotateAddresses } from './addresses.ts';
import type { Host } from './connect-string.ts';
import { ZooKeeperError } from './errors.ts';
import { errorFor } from './result-codes.ts';
import type { ConnectedPeriod, SessionState } from './session.ts';
import { connectError } from './wire/connect-error.ts';
import type {
  Answer,
  AuthEntry,
  Connection,
  ConnectionEnd,
  Handshake,
  OpenConnection,
  TlsMaterial,
} from './wire/connection-types.ts';

interface SessionLoopOptions {
  readonly hosts: readonly Host[];
  readonly sessionTimeoutMs: number;
  readonly backoff: Backoff;
  readonly auth: readonly AuthEntry[];
  readonly tls?: TlsMaterial | undefined;
  readonly openLink: OpenConnection;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly onEvent: (type: number, path: string) => void;
  /** After each change of state. */
  readonly onState: (state: SessionState) => void;
}

/** The session's life over one link after another. */
export interface SessionLoop {
  readonly state: SessionState;
  /** The present stretch, when a server was heard lately; looking also notices that it was not. */
  now(): { link: Connection; connection: ConnectedPeriod } | undefined;
  /** As negotiated last, or as it will be asked for. */
  readonly timeoutMs: number;
  /** Why it is closed, when that was not our wish. */
  readonly failure: ZooKeeperError | undefined;
  /** The newest transaction that any reply told of. */
  readonly lastZxid: bigint;
  saw(zxid: bigint): void;
  /** Counts how often the ensemble was found to have lost transactions that we had seen. */
  readonly incarnation: number;
  readonly reconnects: number;
  /** Why the last connection failed or ended, for a person; null while none has. */
  readonly trouble: string | null;
  close(): Promise<void>;
}

/**
 * Keeps one server session alive over links, and makes a new one when it is lost. Guarantee: `connected` is said only
 * while a server was heard within 3/5 of the session timeout, and `lost` no later than a whole timeout after the last
 * byte, whether or not any server can be reached to confirm it; every attempt after the first waits a random time.
 * `lost` by our own count is a fence and not the truth: after an outage of all servers the session may still be there,
 * and then the generation stays the same.
 */
export function startSessionLoop(options: SessionLoopOptions): SessionLoop {
  const { clock, log } = options;
  const addresses = rotateAddresses(options.hosts, options.random);
  const closing = new AbortController();
  let link: Connection | undefined;
  let stretch: { link: Connection; connection: ConnectedPeriod; end: AbortController } | undefined;
  let session: Handshake | undefined;
  let generation = 0;
  let tried = false;
  let attempt = 0;
  let refusals = 0;
  let cancelLost = () => {};
  // Members and no accessors: every call looks at them, and an object with accessors of its own is slow to look at.
  const life: { -readonly [Key in keyof SessionLoop]: SessionLoop[Key] } = {
    state: 'connecting',
    timeoutMs: options.sessionTimeoutMs,
    failure: undefined,
    lastZxid: 0n,
    incarnation: 1,
    reconnects: 0,
    trouble: null,
    now,
    saw,
    close,
  };

  function enter(next: SessionState): void {
    if (life.state === next || life.state === 'closed') return;
    life.state = next;
    log.info({ state: next, generation }, `zookeeper session ${next}`);
    options.onState(next);
  }

  async function live(): Promise<void> {
    while (life.state !== 'closed') {
      if (tried) await clock.sleep(fullJitter(options.backoff, attempt++, options.random), closing.signal);
      tried = true;
      const address = await addresses.next().catch((error: Error) => {
        life.trouble = connectError(error);
        log.warn({ error }, 'no ZooKeeper host name can be resolved');
        return undefined;
      });
      if (!address || closing.signal.aborted) continue;
      const how = await new Promise<ConnectionEnd>((resolve) => {
        const mine: Connection = options.openLink({
          ...options,
          address,
          handshakeMs: Math.min(5_000, options.sessionTimeoutMs / addresses.count),
          resume: session,
          lastZxid: amnesty() ? 0n : life.lastZxid,
          onUp: (handshake) => void welcome(mine, handshake),
          onEnd: (end) => {
            leave(mine, end);
            resolve(end);
          },
        });
        link = mine;
      });
      life.trouble = `${address.host}:${address.port}: ${how.words}`;
      const level = how.why === 'closed' ? 'debug' : 'info';
      log[level]({ host: address.host, ip: address.ip, port: address.port, ...how }, 'zookeeper connection ended');
    }
  }

  /** Servers hang up on a client that has seen more than they have: one that was wiped would do so for ever. */
  const amnesty = () => refusals >= Math.max(2, addresses.count);

  async function welcome(mine: Connection, handshake: Handshake): Promise<void> {
    if (life.lastZxid > 0n && amnesty() && !(await comparePast(mine))) return;
    if (link !== mine || life.state === 'closed') return;
    refusals = 0;
    cancelLost();
    const same = session?.id.equals(handshake.id) ?? false;
    if (!same) {
      if (life.state === 'suspended') enter('lost');
      generation++;
    }
    if (life.state !== 'connecting') life.reconnects++;
    session = handshake;
    life.timeoutMs = handshake.timeoutMs;
    const end = new AbortController();
    setMaxListeners(0, end.signal); // Whoever holds something listens to it, and may hold many things.
    const { timeoutMs, id } = handshake;
    const connection = { generation, sessionId: id.readBigInt64BE(), timeoutMs, signal: end.signal };
    stretch = { link: mine, connection, end };
    // A server that drops us at once is no success: the wait grows until a stretch has lasted a while.
    const cancelStable = clock.after(Math.max(1_000, timeoutMs / 5), () => {
      attempt = 0;
    });
    end.signal.addEventListener('abort', cancelStable, { once: true });
    enter('connected');
  }

  /** We asked to be let in whatever we had seen: find out, behind a quorum write, whether the past was lost. */
  async function comparePast(mine: Connection): Promise<boolean> {
    const check = { type: jute.OP_CODES.CHECK, path: '/', version: -1 };
    const payload = new jute.TransactionRequest([check]);
    const answer = await new Promise<Answer>((resolve) => mine.send(jute.OP_CODES.MULTI, payload, resolve));
    if (answer.is !== 'reply') {
      mine.cut('no quorum behind this server');
      return false;
    }
    if (answer.zxid < life.lastZxid) {
      life.incarnation++;
      const words = 'the ensemble has lost transactions we had seen: its data were wiped or set back';
      const zxids = { had: life.lastZxid.toString(16), has: answer.zxid.toString(16) };
      log.warn({ code: 'ENSEMBLE_WENT_BACK', ...zxids }, words);
      life.lastZxid = answer.zxid;
    }
    return true;
  }

  function leave(mine: Connection, how: ConnectionEnd): void {
    if (link === mine) link = undefined;
    if (how.why === 'refused') refusals++;
    if (how.why === 'auth-failed') fail(how);
    if (how.why === 'expired') {
      session = undefined;
      life.timeoutMs = options.sessionTimeoutMs;
    }
    if (stretch?.link === mine) {
      const { connection, end } = stretch;
      stretch = undefined;
      if (life.state === 'connected') suspend(connection.timeoutMs - mine.silentFor());
      end.abort(new DOMException(`the ZooKeeper session is ${life.state}: ${how.words}`, 'AbortError'));
    }
    if (how.why === 'expired' && life.state === 'suspended') {
      cancelLost();
      enter('lost');
    }
  }

  function suspend(untilLostMs: number): void {
    enter('suspended');
    cancelLost = clock.after(Math.max(0, untilLostMs), () => {
      if (life.state === 'suspended') enter('lost');
    });
  }

  function fail(how: ConnectionEnd): void {
    life.failure = errorFor(-115, { op: 'authenticate', path: '/' });
    log.error({ code: life.failure.code, hint: life.failure.hint }, how.words);
    shut();
  }

  function shut(): void {
    if (life.state === 'closed') return;
    cancelLost();
    const end = stretch?.end;
    stretch = undefined;
    enter('closed');
    closing.abort(new DOMException('the session is closed', 'AbortError'));
    end?.abort(new DOMException('the ZooKeeper session is closed', 'AbortError'));
  }

  void live().catch((error: unknown) => {
    if (closing.signal.aborted) return;
    life.failure = new ZooKeeperError(
      { code: 'INTERNAL', reason: String(error) },
      { path: '/', outcome: 'unknown', cause: error },
    );
    log.error({ error }, 'the zookeeper session ends by a defect of ours');
    shut();
  });

  function saw(zxid: bigint): void {
    if (zxid > life.lastZxid) life.lastZxid = zxid;
  }

  function now() {
    // After a sleep or a freeze of this process callers run before the timers do.
    if (stretch && stretch.link.silentFor() > stretch.link.silentLimitMs())
      stretch.link.cut('silent, seen by a caller');
    return stretch;
  }

  async function close(): Promise<void> {
    const last = link;
    shut();
    await last?.close(900);
  }

  return life;
}
