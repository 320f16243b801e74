import ConnectionManager from 'node-zookeeper-client/lib/ConnectionManager.js';
import jute, { type Payload } from 'node-zookeeper-client/lib/jute/index.js';
import { connectError, HUNG_UP_AT_ONCE } from './connect-error.ts';
import type { Answer, Connection, ConnectionEnd, ConnectionOptions } from './connection-types.ts';
import { frameCutter } from './frames.ts';
import { beatTimes, watchSilence } from './heartbeat.ts';
import { createPacketQueue } from './packet-queue.ts';
import { RequestPacket } from './packets.ts';
import { Fields, readEvent, readPayload } from './replies.ts';
import { openSocket } from './socket.ts';

/**
 * One connection to one server, from the first packet to its end; the next one is a new connection. The client package
 * sends handshake and pings, and numbers and queues the packets. It has no part in what it does badly: it never opens a
 * socket, sees no answer and no event, and is discarded with its socket.
 * Guarantee: if the server falls silent, the connection ends within the handshake limit or 3/5 of the session timeout;
 * each call is answered once; nothing that a peer sends can throw out of here.
 *
 *   opening ── TCP or TLS is up ──▶ greeting ── handshake ──▶ up ──▶ ended
 *      └────────────────────────────────┴──────────────────────────────▲
 *
 * - `opening`: the socket is being connected. A failure here, or the handshake limit, ends as `unreachable`.
 * - `greeting`: our handshake and the credentials are sent. If the server hangs up now, it has `refused` us; `expired`
 *   and `auth-failed` are its explicit answers.
 * - `up`: requests and pings are sent, and silence is measured. `onUp` has been or is about to be called.
 * - `ended`: set by `end`, once. Timers and socket are gone, and all unanswered calls are answered `lost`. A connection
 *   that we close (`closing`) always ends as `closed`.
 */
export function openConnection(options: ConnectionOptions): Connection {
  const line: Line = {
    options,
    manager: createPacketQueue(options, (state) => onManagerState(line, state)),
    socket: openSocket(options.address, options.tls),
    silence: watchSilence(options.clock),
    phase: 'opening',
    closing: false,
    onManagersStack: 0,
    silentLimitMs: Number.POSITIVE_INFINITY,
    rttMs: undefined,
    pingedAt: 0,
    stopTimers: () => {},
  };
  line.stopTimers = limitHandshake(line);
  listen(line);
  return {
    send: (type, payload, answered) => send(line, type, payload, answered),
    silentFor: line.silence.forHowLong,
    silentLimitMs: () => line.silentLimitMs,
    rttMs: () => line.rttMs,
    waiting: () => unanswered(line).length,
    cut: (words) => end(line, { why: 'silent', words }),
    close: (withinMs) => close(line, withinMs),
  };
}

interface Line {
  readonly options: ConnectionOptions;
  readonly manager: ReturnType<typeof createPacketQueue>;
  readonly socket: ReturnType<typeof openSocket>;
  readonly silence: ReturnType<typeof watchSilence>;
  phase: 'opening' | 'greeting' | 'up' | 'ended';
  /** We are closing: the server answers by hanging up, which is no failure of the connection. */
  closing: boolean;
  /** Calls into the client package that are on the stack. Our callbacks run callers' code, but never on its stack. */
  onManagersStack: number;
  silentLimitMs: number;
  rttMs: number | undefined;
  pingedAt: number;
  /** Stops the timers of the current phase. */
  stopTimers: () => void;
}

const { CONNECTING, CONNECTED, CLOSED, SESSION_EXPIRED, AUTHENTICATION_FAILED } = ConnectionManager.STATES;
const CLOSED_BY_US: ConnectionEnd = { why: 'closed', words: 'closed by us' };
const unused = () => {};
/** The number of a frame that reports a watch event and answers no request. */
const NUMBER_OF_EVENTS = -1;

function limitHandshake(line: Line): () => void {
  const { clock, handshakeMs } = line.options;
  return clock.after(handshakeMs, () =>
    end(line, {
      why: line.phase === 'opening' ? 'unreachable' : 'silent',
      words: `no handshake in ${handshakeMs} ms`,
    }),
  );
}

function listen(line: Line): void {
  const { manager, socket, silence, options } = line;
  const cut = frameCutter((frame) => onFrame(line, frame));
  manager.socket = socket;
  manager.setState(CONNECTING);
  socket.setNoDelay();
  socket.on(options.tls ? 'secureConnect' : 'connect', () => guarded(line, () => greet(line)));
  socket.on('data', (chunk: Buffer) => {
    silence.heard();
    guarded(line, () => cut(chunk));
  });
  socket.on('drain', () => guarded(line, () => manager.onSocketDrain()));
  socket.on('error', (error: NodeJS.ErrnoException) => {
    // If our handshake arrives after the server closed the connection, its system answers with a reset.
    if (line.phase === 'greeting' && (error.code === 'ECONNRESET' || error.code === 'EPIPE'))
      return end(line, HUNG_UP_AT_ONCE);
    end(line, {
      why: line.phase === 'opening' ? 'unreachable' : 'broken',
      words: connectError(error),
      noListener: error.code === 'ECONNREFUSED',
    });
  });
  socket.on('close', () =>
    end(line, line.phase === 'greeting' ? HUNG_UP_AT_ONCE : { why: 'broken', words: 'the server hung up' }),
  );
}

/** Runs work that may call into the client package. An exception ends this connection and goes no further. */
function guarded(line: Line, work: () => void): void {
  if (line.phase === 'ended') return;
  line.onManagersStack++;
  try {
    work();
  } catch (error) {
    end(line, { why: 'broken', words: `unreadable bytes: ${error instanceof Error ? error.message : String(error)}` });
  } finally {
    line.onManagersStack--;
  }
}

function greet(line: Line): void {
  line.phase = 'greeting';
  line.manager.onSocketConnected();
}

function onFrame(line: Line, frame: Buffer): void {
  if (line.phase === 'ended') return;
  const { manager, options } = line;
  if (manager.state === CONNECTING) {
    if (frame.length < 40 || frame.readInt32BE(4) !== 0) throw new Error('the handshake is not a ZooKeeper server’s');
    manager.onSocketData(frame);
    return;
  }
  if (frame.length < 20) throw new Error(`a reply of ${frame.length} bytes`);
  const number = frame.readInt32BE(4);
  if (number > 0) onAnswer(line, number, new Fields(frame, 8));
  else if (number === NUMBER_OF_EVENTS) {
    const { type, path } = readEvent(new Fields(frame, 20));
    options.onEvent(type, path);
  } else {
    if (number === jute.XID_PING) line.rttMs = options.clock.monotonic() - line.pingedAt;
    manager.onSocketData(frame);
  }
}

/** A server answers in the order of the requests. */
function onAnswer({ manager }: Line, number: number, fields: Fields): void {
  const packet = manager.pendingQueue[0]?.request;
  if (packet?.header.xid !== number) throw new Error(`the answer to ${number}, which is not what was asked next`);
  const zxid = fields.long();
  const resultCode = fields.int();
  const answer: Answer =
    resultCode === 0
      ? { is: 'reply', payload: readPayload(packet.header.type, fields), zxid }
      : { is: 'refusal', resultCode, zxid };
  manager.pendingQueue.shift(); // Only now: if the bytes make no sense, it must be among the lost calls.
  if (packet instanceof RequestPacket) packet.answered(answer);
}

function onManagerState(line: Line, state: number): void {
  if (state === SESSION_EXPIRED) end(line, { why: 'expired', words: 'the server does not know this session any more' });
  if (state === AUTHENTICATION_FAILED) end(line, { why: 'auth-failed', words: 'the server refuses the credential' });
  if (state === CONNECTED && line.phase === 'greeting') rise(line);
}

function rise(line: Line): void {
  const { manager, options } = line;
  line.phase = 'up';
  line.stopTimers();
  const timeoutMs = manager.sessionTimeout;
  const { pingMs, silentMs } = beatTimes(timeoutMs);
  line.silentLimitMs = silentMs;
  const stopSilence = line.silence.limit(silentMs, () =>
    end(line, { why: 'silent', words: `silent for ${silentMs} ms` }),
  );
  const stopPings = pingEvery(line, pingMs);
  line.stopTimers = () => {
    stopSilence();
    stopPings();
  };
  const handshake = { id: manager.sessionId, password: manager.sessionPassword, timeoutMs };
  queueMicrotask(() => {
    if (line.phase === 'up') options.onUp(handshake);
  });
}

function pingEvery(line: Line, pingMs: number): () => void {
  const { clock } = line.options;
  let cancel = clock.after(pingMs, ping);
  function ping(): void {
    line.pingedAt = clock.monotonic();
    guarded(line, () => line.manager.onSocketTimeout());
    if (line.phase === 'up') cancel = clock.after(pingMs, ping);
  }
  return () => cancel();
}

function end(line: Line, seen: ConnectionEnd): void {
  if (line.phase === 'ended') return;
  const { manager, socket, options } = line;
  const how = line.closing ? CLOSED_BY_US : seen;
  line.phase = 'ended';
  line.stopTimers();
  manager.removeAllListeners();
  manager.state = CLOSED;
  socket.removeAllListeners();
  socket.on('error', () => {});
  socket.destroy();
  const lost = unanswered(line);
  manager.pendingQueue = [];
  manager.packetQueue.queue = [];
  const tell = () => {
    options.onEnd(how);
    for (const packet of lost) packet.answered({ is: 'lost', end: how });
  };
  if (line.onManagersStack > 0) queueMicrotask(tell);
  else tell();
}

/** The unanswered requests, written or still queued; not the client package's own packets. */
function unanswered({ manager }: Line): RequestPacket[] {
  const packets = [...manager.pendingQueue, ...manager.packetQueue.queue].map(({ request }) => request);
  return packets.filter((packet) => packet instanceof RequestPacket);
}

function send(line: Line, type: number, payload: Payload, answered: (answer: Answer) => void): void {
  if (line.phase !== 'up') {
    answered({ is: 'lost', end: { why: 'broken', words: 'the connection has ended' } });
    return;
  }
  gather(line);
  guarded(line, () => line.manager.queue(new RequestPacket(type, payload, answered), unused));
}

/** Requests of the same tick leave in one write: a write to a socket costs more than the rest of a small request. */
function gather({ socket }: Line): void {
  if (socket.writableCorked > 0) return;
  socket.cork();
  process.nextTick(() => socket.uncork());
}

async function close(line: Line, withinMs: number): Promise<void> {
  line.closing = true;
  if (line.phase === 'up') {
    const hungUp = new Promise<void>((resolve) => line.socket.once('close', () => resolve()));
    const stop = new AbortController();
    guarded(line, () => line.manager.close());
    await Promise.race([hungUp, line.options.clock.sleep(withinMs, stop.signal).catch(() => {})]);
    stop.abort();
  }
  end(line, CLOSED_BY_US);
}
