import ConnectionManager from 'node-zookeeper-client/lib/ConnectionManager.js';
import { afterEach } from 'vitest';
import { systemClock as clock, systemRandom as random } from '../../../runtime/clock.ts';
import { createLog, type Logger } from '../../../runtime/log.ts';
import { openSession, type SessionOptions } from '../../../zookeeper/open-session.ts';
import type { Session, SessionState } from '../../../zookeeper/session.ts';

export interface Told {
  readonly states: SessionState[];
  readonly log: Logger;
  /** The lines of the session's log, parsed. */
  readonly lines: Record<string, unknown>[];
}

/** Opens sessions for one test file. Each is closed after its case, so that none outlives it. */
export function sessionsForTest(): (
  connect: string,
  options?: Partial<SessionOptions>,
) => Session & { readonly told: Told } {
  const open: Session[] = [];
  afterEach(async () => {
    await Promise.all(open.splice(0).map((session) => session.close()));
  });
  return (connect, options = {}) => {
    const lines: Record<string, unknown>[] = [];
    const log = createLog({ level: 'debug' }, { write: (line: string) => void lines.push(JSON.parse(line)) });
    const defaults = { sessionTimeoutMs: 6_000, defaultAcl: 'open' as const, clock, random, log };
    const session = openSession({ ...defaults, connect, ...options });
    open.push(session);
    const told: Told = { states: [], log, lines };
    session.onState((state) => void told.states.push(state));
    return Object.defineProperty(session, 'told', { value: told }) as Session & { told: Told };
  };
}

/** The next item of a stream, or a clear failure. */
export async function next<T>(stream: AsyncIterator<T>, withinMs = 20_000): Promise<T> {
  const stop = new AbortController();
  const late = clock.sleep(withinMs, stop.signal).then(() => {
    throw new Error(`the stream gave nothing in ${withinMs} ms`);
  });
  late.catch(() => {});
  const item = await Promise.race([stream.next(), late]);
  stop.abort();
  if (item.done) throw new Error('the stream has ended');
  return item.value;
}

/**
 * Ends a session on the server at once, as if it had timed out: another client takes over the session and closes it.
 * This uses the client package itself, and the server's way to make passwords, because our layer exposes neither.
 */
export async function expire(session: Session, connect: string): Promise<void> {
  return expireById((await session.connected()).sessionId, connect);
}

export async function expireById(sessionId: bigint, connect: string): Promise<void> {
  // The owner may take the session back before it is closed: repeat until the server no longer knows it.
  while (!(await stealAndClose(sessionId, connect))) {}
}

/** True if the server answered that there is no such session. */
function stealAndClose(sessionId: bigint, connect: string): Promise<boolean> {
  const { CONNECTED, CLOSED, SESSION_EXPIRED } = ConnectionManager.STATES;
  const id = Buffer.alloc(8);
  id.writeBigInt64BE(sessionId);
  const options = { sessionTimeout: 10_000, spinDelay: 20, sessionId: id, sessionPassword: passwordOf(sessionId) };
  return new Promise((resolve) => {
    let expired = false;
    const thief = new ConnectionManager(connect.split('/')[0] as string, options, (state) => {
      if (state === CONNECTED) thief.close();
      if (state === SESSION_EXPIRED) expired = true;
      if (state === CLOSED) resolve(expired);
    }) as InstanceType<typeof ConnectionManager> & { connect(): void };
    thief.connect();
  });
}

/** ZooKeeper derives the password of a session from its id with Java's random generator and a well-known number. */
function passwordOf(sessionId: bigint): Buffer {
  const mask = (1n << 48n) - 1n;
  let seed = (BigInt.asUintN(64, sessionId) ^ 0xb3415c00n ^ 0x5deece66dn) & mask;
  const password = Buffer.alloc(16);
  for (let at = 0; at < 16; at += 4) {
    seed = (seed * 0x5deece66dn + 0xbn) & mask;
    password.writeUInt32LE(Number((seed >> 16n) & 0xffffffffn), at);
  }
  return password;
}
