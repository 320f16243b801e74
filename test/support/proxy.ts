import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach } from 'vitest';
import type { Way } from './zookeeper/shared.ts';

/**
 * A TCP proxy on loopback that breaks the path between a client and one server in every way that a network can.
 *
 * - `pass`: forwards.
 * - `drop`: keeps all sockets, accepts new ones, and discards every byte: a path that fell silent.
 * - `hold`: the same, but the bytes are kept and delivered at the next `pass`: a frozen process, a late packet.
 * - `mute`: discards what the server answers, while requests still arrive: the lost reply.
 * - `refuse`: nothing listens, and open connections are cut.
 */
type ProxyMode = 'pass' | 'drop' | 'hold' | 'mute' | 'refuse';

export interface TcpProxy {
  readonly port: number;
  readonly connect: string;
  /** Connections accepted so far. */
  readonly accepted: number;
  /** Waits until the mode is in force for open connections. */
  mode(mode: ProxyMode): Promise<void>;
  /** Ends every open connection now. */
  cut(): void;
  /** Lets the server answer this many more bytes, then cuts: the reply ends in the middle of a frame. */
  cutAfter(bytes: number): void;
  /** Delays every chunk, in both directions. */
  delay(ms: number): void;
  /** Sends bytes to the client as if they came from the server. */
  inject(bytes: Buffer): void;
  /** Calls `change` with each whole frame of the server after the handshake; it may change the frame. */
  rewrite(change: ((frame: Buffer) => Buffer) | undefined): void;
  stop(): Promise<void>;
}

/** Opens proxies for one test file; each is stopped after its case. */
export function proxiesForTest(): (target: number | Way) => Promise<TcpProxy> {
  const open: TcpProxy[] = [];
  afterEach(async () => {
    await Promise.all(open.splice(0).map((proxy) => proxy.stop()));
  });
  return async (target) => {
    const proxy = await openProxy(target);
    open.push(proxy);
    return proxy;
  };
}

/** @param target a port of ours; with a chroot, sessions through this proxy stay below it. */
export async function openProxy(target: number | Way): Promise<TcpProxy> {
  const [targetPort, chroot] = typeof target === 'number' ? [target, ''] : [target.port, target.chroot];
  const pairs = new Set<Pair>();
  let mode: ProxyMode = 'pass';
  let delayMs = 0;
  let leftToCut = Number.POSITIVE_INFINITY;
  let change: ((frame: Buffer) => Buffer) | undefined;
  let accepted = 0;
  let listener: Server | undefined;

  function accept(client: Socket): void {
    accepted++;
    const server = connect(targetPort, '127.0.0.1');
    const pair: Pair = { client, server, held: [], frames: Buffer.alloc(0), handshake: true };
    pairs.add(pair);
    for (const socket of [client, server]) {
      socket.setNoDelay();
      socket.on('error', () => {});
      socket.on('close', () => end(pair));
    }
    client.on('data', (chunk) => carry(pair, server, chunk, true));
    server.on('data', (chunk) => carry(pair, client, chunk, false));
  }

  function carry(pair: Pair, to: Socket, chunk: Buffer, request: boolean): void {
    if (mode === 'drop' || (mode === 'mute' && !request)) return;
    if (mode === 'hold') {
      pair.held.push({ to, chunk });
      return;
    }
    const bytes = request ? chunk : altered(pair, chunk);
    if (!request && bytes.length > leftToCut) {
      to.write(bytes.subarray(0, leftToCut), () => end(pair));
      leftToCut = Number.POSITIVE_INFINITY;
      return;
    }
    if (!request) leftToCut -= bytes.length;
    if (delayMs > 0) setTimeout(() => to.writable && to.write(bytes), delayMs);
    else to.write(bytes);
  }

  /** Cuts the stream into frames only if a test wants to change one. */
  function altered(pair: Pair, chunk: Buffer): Buffer {
    if (!change) return chunk;
    pair.frames = Buffer.concat([pair.frames, chunk]);
    const whole: Buffer[] = [];
    while (pair.frames.length >= 4 && pair.frames.length >= 4 + pair.frames.readInt32BE(0)) {
      const length = 4 + pair.frames.readInt32BE(0);
      const frame = Buffer.from(pair.frames.subarray(0, length));
      pair.frames = pair.frames.subarray(length);
      whole.push(pair.handshake ? frame : change(frame));
      pair.handshake = false;
    }
    return Buffer.concat(whole);
  }

  function end(pair: Pair): void {
    pairs.delete(pair);
    pair.client.destroy();
    pair.server.destroy();
  }

  const listen = (port: number) =>
    new Promise<Server>((resolve, reject) => {
      const server = createServer(accept).once('error', reject);
      server.listen(port, '127.0.0.1', () => resolve(server));
    });

  async function deafen(): Promise<void> {
    const old = listener;
    listener = undefined;
    const closed = new Promise<void>((resolve) => (old ? old.close(() => resolve()) : resolve()));
    for (const pair of [...pairs]) end(pair);
    await closed;
  }

  listener = await listen(0);
  const { port } = listener.address() as { port: number };

  return {
    port,
    connect: `127.0.0.1:${port}${chroot}`,
    get accepted() {
      return accepted;
    },
    async mode(next) {
      mode = next;
      if (next === 'refuse') return deafen();
      listener ??= await listen(port);
      if (next !== 'pass') return;
      for (const pair of pairs) for (const { to, chunk } of pair.held.splice(0)) to.write(chunk);
    },
    cut: () => {
      for (const pair of [...pairs]) end(pair);
    },
    cutAfter: (bytes) => {
      leftToCut = bytes;
    },
    delay: (ms) => {
      delayMs = ms;
    },
    inject: (bytes) => {
      for (const pair of pairs) pair.client.write(bytes);
    },
    rewrite: (next) => {
      change = next;
      for (const pair of pairs) pair.handshake = false;
    },
    stop: deafen,
  };
}

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
  readonly held: { to: Socket; chunk: Buffer }[];
  frames: Buffer;
  handshake: boolean;
}
