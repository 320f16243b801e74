import { afterEach } from 'vitest';
import { systemClock as clock, systemRandom as random } from '../../../runtime/clock.ts';
import type { SessionOptions } from '../../../zookeeper/open-session.ts';
import type { Session } from '../../../zookeeper/session.ts';
import { openProxy } from '../proxy.ts';
import { createFakeLine, type FakeLine, type LineMode } from './fake/line.ts';
import { createFakeServer } from './fake/server.ts';
import { expire, sessionsForTest, type Told } from './session.ts';
import { sharedServer } from './shared.ts';

/** A connection path to one server that the test can break. */
export interface Line {
  readonly connect: string;
  mode(mode: LineMode): Promise<void>;
  cut(): void;
  stop(): Promise<void>;
}

/** What a suite needs from one ZooKeeper server, so that the same cases run on the real one and on the fake. */
export interface ZooKeeperKit {
  readonly name: 'real' | 'fake';
  /** The direct path to the server. */
  connect(chroot?: string): string;
  /** Opens a session, which is closed after its case. */
  open(connect: string, options?: Partial<SessionOptions>): Session & { readonly told: Told };
  openLine(): Promise<Line>;
  /** Ends the session on the server as if it had timed out. */
  expire(session: Session): Promise<void>;
}

/** Call it at the top of a test file: the server lives as long as the file's cases. */
export function realKit(): ZooKeeperKit {
  const real = sharedServer();
  const open = sessionsForTest();
  return {
    name: 'real',
    connect: real.connect,
    open,
    openLine: () => openProxy(real),
    expire: (session) => expire(session, real.connect()),
  };
}

const STRAIGHT = 1;

export function fakeKit(): ZooKeeperKit {
  const server = createFakeServer(clock);
  const latency = () => random() * 2;
  const lines = new Map<number, FakeLine>([[STRAIGHT, createFakeLine({ server, clock, latency })]]);
  const openSession = sessionsForTest();
  afterEach(() => {
    for (const [port, line] of lines) if (port !== STRAIGHT) line.cut();
  });
  return {
    name: 'fake',
    connect: (chroot = '') => `127.0.0.1:${STRAIGHT}${chroot}`,
    open: (connect, options = {}) =>
      openSession(connect, {
        openLink: (link) => (lines.get(link.address.port) as FakeLine).openLink(link),
        ...options,
      }),
    async openLine() {
      const port = STRAIGHT + lines.size;
      const line = createFakeLine({ server, clock, latency });
      lines.set(port, line);
      return {
        connect: `127.0.0.1:${port}`,
        mode: async (mode) => line.mode(mode),
        cut: line.cut,
        stop: async () => line.mode('refuse'),
      };
    },
    async expire(session) {
      const { sessionId, signal } = await session.connected();
      server.end(sessionId);
      // The real server closes the connection of a session that it ended. Here only the next heartbeat would show it,
      // too late.
      if (!signal.aborted) for (const line of lines.values()) line.hangUpOn(sessionId);
    },
  };
}
