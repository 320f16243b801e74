import type { Clock } from '../../../../runtime/clock.ts';
import type { Answer, Connection, ConnectionEnd, OpenConnection } from '../../../../zookeeper/wire/connection-types.ts';
import { beatTimes, watchSilence } from '../../../../zookeeper/wire/heartbeat.ts';
import type { FakeServer } from './server.ts';
import { readRequest } from './wire.ts';

/**
 * As in the TCP proxy of the real server: `drop` discards both directions, `mute` the answers; `refuse` cuts and
 * accepts no connection.
 */
export type LineMode = 'pass' | 'drop' | 'mute' | 'refuse';

export interface FakeLine {
  readonly openLink: OpenConnection;
  mode(mode: LineMode): void;
  /** Whether packets pass now. */
  readonly passes: boolean;
  /** Ends every open link now. */
  cut(): void;
  /** Ends the link of this session, as the real server does after it has ended a session. */
  hangUpOn(sessionId: bigint): void;
}

interface LineOptions {
  readonly server: FakeServer;
  /** The clock of the network, which runs on while a process at one end of it is frozen. */
  readonly clock: Clock;
  /** For one packet, ms; drawn for each. The packets of one link keep their order. */
  readonly latency: () => number;
}

/** A line to the fake server that breaks in the ways that a network does. It may carry many links. */
export function createFakeLine({ server, clock, latency }: LineOptions): FakeLine {
  const open = new Map<() => void, () => bigint>();
  let mode: LineMode = 'pass';

  const openLink: OpenConnection = (options) => {
    let phase: 'greeting' | 'up' | 'ended' = 'greeting';
    let sessionId = 0n;
    let lastAt = { there: 0, back: 0 };
    /**
     * Nothing is lost in the middle of a stream: a direction that lost a packet carries none until the link has ended.
     */
    const torn = { there: false, back: false };
    const waiting = new Set<(answer: Answer) => void>();
    const silence = watchSilence(options.clock);
    const { pingMs, silentMs } = beatTimes(options.sessionTimeoutMs);
    let stopTimers = options.clock.after(options.handshakeMs, () =>
      end({ why: 'silent', words: `no handshake in ${options.handshakeMs} ms` }),
    );

    /** One packet: lost if the line blocks it at departure or arrival, or the link has ended. */
    function carry(way: 'there' | 'back', arrive: () => void): void {
      const passes = () => {
        torn[way] ||= mode !== 'pass' && (mode !== 'mute' || way === 'back');
        return phase !== 'ended' && !torn[way];
      };
      if (!passes()) return;
      const at = Math.max(lastAt[way], clock.monotonic() + latency());
      lastAt = { ...lastAt, [way]: at };
      clock.after(at - clock.monotonic(), () => passes() && arrive());
    }

    /** What arrives at the client waits until its process runs. */
    function deliver(hear: () => void): void {
      carry('back', () =>
        options.clock.after(0, () => {
          if (phase === 'ended') return;
          silence.heard();
          hear();
        }),
      );
    }

    function greet(): void {
      if (options.lastZxid > server.zxid) {
        deliver(() => end({ why: 'refused', words: 'the server hung up' }));
        return;
      }
      const resume = options.resume ? options.resume.id.readBigInt64BE() : null;
      const id = server.welcome(resume, options.sessionTimeoutMs);
      deliver(() => {
        if (id === null) {
          end({ why: 'expired', words: 'the server does not know this session any more' });
          return;
        }
        sessionId = id;
        phase = 'up';
        stopTimers();
        keepBeating();
        options.onUp({ id: idOf(id), password: Buffer.alloc(16), timeoutMs: options.sessionTimeoutMs });
      });
    }

    function keepBeating(): void {
      const stopSilence = silence.limit(silentMs, () => end({ why: 'silent', words: `silent for ${silentMs} ms` }));
      let stopPing = options.clock.after(pingMs, ping);
      stopTimers = () => {
        stopSilence();
        stopPing();
      };
      function ping() {
        carry('there', () => {
          server.heard(sessionId);
          if (server.alive(sessionId)) deliver(() => {});
          else hangUp();
        });
        stopPing = options.clock.after(pingMs, ping);
      }
    }

    function end(how: ConnectionEnd): void {
      if (phase === 'ended') return;
      phase = 'ended';
      stopTimers();
      open.delete(hangUp);
      server.forget(onWatch);
      const lost = [...waiting];
      waiting.clear();
      queueMicrotask(() => {
        options.onEnd(how);
        for (const answered of lost) answered({ is: 'lost', end: how });
      });
    }

    function onWatch(path: string): void {
      deliver(() => options.onEvent(3, path));
    }

    /** Nothing passes from here on. A frozen process learns of it when it thaws; a killed one never does. */
    function hangUp(): void {
      open.delete(hangUp);
      server.forget(onWatch);
      [torn.there, torn.back] = [true, true];
      options.clock.after(0, () => end({ why: 'broken', words: 'the server hung up' }));
    }

    open.set(hangUp, () => sessionId);
    if (mode === 'refuse') queueMicrotask(() => end({ why: 'unreachable', words: 'connection refused' }));
    else carry('there', greet);

    return {
      send(type, payload, answered) {
        if (phase !== 'up') {
          answered({ is: 'lost', end: { why: 'broken', words: 'the link has ended' } });
          return;
        }
        waiting.add(answered);
        const asked = readRequest(type, payload);
        carry('there', () => {
          if (!server.alive(sessionId)) {
            hangUp();
            return;
          }
          const handled = server.handle(sessionId, asked, onWatch);
          const zxid = server.zxid;
          deliver(() => {
            if (!waiting.delete(answered)) return;
            if ('refusal' in handled) answered({ is: 'refusal', resultCode: handled.refusal, zxid });
            else answered({ is: 'reply', payload: handled.payload, zxid });
          });
        });
      },
      silentFor: silence.forHowLong,
      silentLimitMs: () => silentMs,
      rttMs: () => undefined,
      waiting: () => waiting.size,
      cut: (words) => end({ why: 'silent', words }),
      async close() {
        if (phase === 'up' && !torn.there && (mode === 'pass' || mode === 'mute')) server.end(sessionId);
        end({ why: 'closed', words: 'closed by us' });
      },
    } satisfies Connection;
  };

  return {
    openLink,
    get passes() {
      return mode === 'pass';
    },
    mode(next) {
      mode = next;
      if (next === 'refuse') for (const hangUp of [...open.keys()]) hangUp();
    },
    cut() {
      for (const hangUp of [...open.keys()]) hangUp();
    },
    hangUpOn(sessionId) {
      for (const [hangUp, rides] of [...open]) if (rides() === sessionId) hangUp();
    },
  };
}

function idOf(id: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(id);
  return bytes;
}
