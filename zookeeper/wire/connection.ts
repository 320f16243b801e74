import { isIP, connect as tcpConnect } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import ConnectionManager from 'node-zookeeper-client/lib/ConnectionManager.js';
import jute, { type Payload } from 'node-zookeeper-client/lib/jute/index.js';
import { connectError } from './connect-error.ts';
import type { Address, Answer, Connection, ConnectionEnd, ConnectionOptions, Handshake } from './connection-types.ts';
import { frameCutter } from './frames.ts';
import { beatTimes, watchSilence } from './heartbeat.ts';
import { RequestPacket } from './packets.ts';
import { Fields, readEvent, readPayload } from './replies.ts';

/**
 * One connection to one server, from the first packet to its end: it never comes back, the next one is a new link.
 * The client package greets, pings, numbers and queues the packets; everything it gets wrong about a connection is kept
 * away from it: it never connects by itself, sees no answer and no event, and is thrown away with its socket.
 * Guarantee: a link ends within the handshake limit or 3/5 of the session timeout when the server falls silent, each
 * call is answered once, and nothing that a peer sends can throw out of here.
 */
export function openConnection(options: ConnectionOptions): Connection {
  const { clock } = options;
  const manager = new ConnectionManager(
    'address.comes.with.the.socket:1',
    {
      sessionTimeout: options.sessionTimeoutMs,
      spinDelay: 0,
      ...(options.resume ? { sessionId: options.resume.id, sessionPassword: options.resume.password } : {}),
    },
    onManagerState,
  );
  const { CONNECTING, CONNECTED, CLOSED, SESSION_EXPIRED, AUTHENTICATION_FAILED } = ConnectionManager.STATES;
  let phase: 'opening' | 'greeting' | 'up' | 'ended' = 'opening';
  /** The server answers our goodbye by hanging up: no trouble of the line. */
  let closing = false;
  let onManagersStack = 0;
  let silentLimitMs = Number.POSITIVE_INFINITY;
  let rttMs: number | undefined;
  let pingedAt = 0;

  manager.xid = 1;
  manager.zxid.writeBigInt64BE(options.lastZxid);
  manager.watcherManager = { isEmpty: () => true };
  // The manager's own ping waits for the socket to fall idle in both directions; the heartbeat does not.
  manager.updateTimeout = (ms) => {
    manager.sessionTimeout = ms;
    manager.pingTimeout = 0;
  };
  for (const { scheme, credential } of options.auth) manager.addAuthInfo(scheme, Buffer.from(credential));

  const silence = watchSilence(clock);
  const socket = openSocket(options.address, options.tls);
  const cut = frameCutter(onFrame);
  let stopTimers = clock.after(options.handshakeMs, () =>
    end({ why: phase === 'opening' ? 'unreachable' : 'silent', words: `no handshake in ${options.handshakeMs} ms` }),
  );

  manager.socket = socket;
  manager.setState(CONNECTING);
  socket.setNoDelay();
  socket.on(options.tls ? 'secureConnect' : 'connect', () =>
    guarded(() => {
      phase = 'greeting';
      manager.onSocketConnected();
    }),
  );
  socket.on('data', (chunk: Buffer) => {
    silence.heard();
    guarded(() => cut(chunk));
  });
  socket.on('drain', () => guarded(() => manager.onSocketDrain()));
  socket.on('error', (error) =>
    end({ why: phase === 'opening' ? 'unreachable' : 'broken', words: connectError(error) }),
  );
  socket.on('close', () => end({ why: phase === 'greeting' ? 'refused' : 'broken', words: 'the server hung up' }));

  /** Runs what may call into the client; whatever it throws ends this link and goes no further. */
  function guarded(work: () => void): void {
    if (phase === 'ended') return;
    onManagersStack++;
    try {
      work();
    } catch (error) {
      end({ why: 'broken', words: `unreadable bytes: ${error instanceof Error ? error.message : String(error)}` });
    } finally {
      onManagersStack--;
    }
  }

  function onFrame(frame: Buffer): void {
    if (phase === 'ended') return;
    if (manager.state === CONNECTING) {
      if (frame.length < 40 || frame.readInt32BE(4) !== 0) throw new Error('the handshake is not a ZooKeeper server’s');
      manager.onSocketData(frame);
      return;
    }
    if (frame.length < 20) throw new Error(`a reply of ${frame.length} bytes`);
    const number = frame.readInt32BE(4);
    if (number > 0) onAnswer(number, new Fields(frame, 8));
    else if (number === NUMBER_OF_EVENTS) onEvent(new Fields(frame, 20));
    else {
      if (number === jute.XID_PING) rttMs = clock.monotonic() - pingedAt;
      manager.onSocketData(frame);
    }
  }

  /** A server answers in the order in which it was asked. */
  function onAnswer(number: number, fields: Fields): void {
    const packet = manager.pendingQueue[0]?.request;
    if (packet?.header.xid !== number) throw new Error(`the answer to ${number}, which is not what was asked next`);
    const zxid = fields.long();
    const resultCode = fields.int();
    const answer: Answer =
      resultCode === 0
        ? { is: 'reply', payload: readPayload(packet.header.type, fields), zxid }
        : { is: 'refusal', resultCode, zxid };
    manager.pendingQueue.shift(); // Not before: where the bytes make no sense, it is among those to be told.
    if (packet instanceof RequestPacket) packet.answered(answer);
  }

  function onEvent(fields: Fields): void {
    const { type, path } = readEvent(fields);
    options.onEvent(type, path);
  }

  function onManagerState(state: number): void {
    if (state === SESSION_EXPIRED) end({ why: 'expired', words: 'the server does not know this session any more' });
    if (state === AUTHENTICATION_FAILED) end({ why: 'auth-failed', words: 'the server refuses the credential' });
    if (state === CONNECTED && phase === 'greeting') welcome();
  }

  function welcome(): void {
    phase = 'up';
    stopTimers();
    const timeoutMs = manager.sessionTimeout;
    const { pingMs, silentMs } = beatTimes(timeoutMs);
    silentLimitMs = silentMs;
    const stopSilence = silence.limit(silentMs, () => end({ why: 'silent', words: `silent for ${silentMs} ms` }));
    let stopPing = clock.after(pingMs, ping);
    stopTimers = () => {
      stopSilence();
      stopPing();
    };
    function ping() {
      pingedAt = clock.monotonic();
      guarded(() => manager.onSocketTimeout());
      if (phase === 'up') stopPing = clock.after(pingMs, ping);
    }
    const handshake: Handshake = { id: manager.sessionId, password: manager.sessionPassword, timeoutMs };
    queueMicrotask(() => {
      if (phase === 'up') options.onUp(handshake);
    });
  }

  function end(seen: ConnectionEnd): void {
    if (phase === 'ended') return;
    const how = closing ? CLOSED_BY_US : seen;
    phase = 'ended';
    stopTimers();
    manager.removeAllListeners();
    manager.state = CLOSED;
    socket.removeAllListeners();
    socket.on('error', () => {});
    socket.destroy();
    const lost = unanswered();
    manager.pendingQueue = [];
    manager.packetQueue.queue = [];
    const tell = () => {
      options.onEnd(how);
      for (const packet of lost) packet.answered({ is: 'lost', end: how });
    };
    // Never on the client's stack: what we tell runs other people's code.
    if (onManagersStack > 0) queueMicrotask(tell);
    else tell();
  }

  /** What was asked, whether it is written already or the socket is full; not the client's own packets. */
  function unanswered(): RequestPacket[] {
    const packets = [...manager.pendingQueue, ...manager.packetQueue.queue].map(({ request }) => request);
    return packets.filter((packet) => packet instanceof RequestPacket);
  }

  function send(type: number, payload: Payload, answered: (answer: Answer) => void): void {
    if (phase !== 'up') {
      answered({ is: 'lost', end: { why: 'broken', words: 'the link has ended' } });
      return;
    }
    gather();
    guarded(() => manager.queue(new RequestPacket(type, payload, answered), unused));
  }

  /** What is asked in one go leaves in one write: a write to a socket costs more than all else of a small request. */
  function gather(): void {
    if (socket.writableCorked > 0) return;
    socket.cork();
    process.nextTick(() => socket.uncork());
  }

  return {
    send,
    silentFor: silence.forHowLong,
    silentLimitMs: () => silentLimitMs,
    rttMs: () => rttMs,
    waiting: () => unanswered().length,
    cut: (words) => end({ why: 'silent', words }),
    async close(withinMs) {
      closing = true;
      if (phase === 'up') {
        const hungUp = new Promise<void>((resolve) => socket.once('close', () => resolve()));
        const stop = new AbortController();
        guarded(() => manager.close());
        await Promise.race([hungUp, clock.sleep(withinMs, stop.signal).catch(() => {})]);
        stop.abort();
      }
      end(CLOSED_BY_US);
    },
  };
}

const CLOSED_BY_US: ConnectionEnd = { why: 'closed', words: 'closed by us' };

const unused = () => {};

/** Says that a watch fired, and answers nothing. */
const NUMBER_OF_EVENTS = -1;

function openSocket(address: Address, tls: ConnectionOptions['tls']) {
  const at = { host: address.ip, port: address.port };
  if (!tls) return tcpConnect(at);
  const name = tls.servername ?? address.host;
  // An address is no server name to send; the certificate is then checked against the address itself.
  return tlsConnect({ ...tls, ...at, ...(isIP(name) ? { servername: '' } : { servername: name }) });
}
