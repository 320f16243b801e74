import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** What happens to the bytes that the server sends. */
export type Weather =
  | { kind: 'fair' }
  /** Accepts and never answers. */
  | { kind: 'silent' }
  /** Passes `bytes` each `everyMs`. */
  | { kind: 'drip'; after: number; bytes: number; everyMs: number }
  /** Resets the connection after so many bytes. */
  | { kind: 'cut'; after: number };

export interface TcpProxy {
  readonly port: number;
  weather: Weather;
  stop(): Promise<void>;
}

/** Stands between a git client and its server on loopback, and makes the network as bad as asked. */
export async function startTcpProxy(to: number): Promise<TcpProxy> {
  const open = new Set<Socket>();
  const server = createServer((client) => {
    const { weather } = self;
    const origin = connect(to, '127.0.0.1');
    const timers: NodeJS.Timeout[] = [];
    const end = () => {
      for (const timer of timers) clearInterval(timer);
      client.destroy();
      origin.destroy();
    };
    for (const socket of [client, origin]) {
      open.add(socket);
      socket.on('error', end).on('close', () => {
        open.delete(socket);
        end();
      });
    }
    client.pipe(origin);
    if (weather.kind === 'silent') return;
    let passed = 0;
    let held = Buffer.alloc(0);
    if (weather.kind === 'drip') {
      timers.push(
        setInterval(() => {
          client.write(held.subarray(0, weather.bytes));
          held = held.subarray(weather.bytes);
        }, weather.everyMs),
      );
    }
    origin.on('data', (chunk: Buffer) => {
      const before = passed;
      passed += chunk.length;
      if (weather.kind === 'fair' || passed <= weather.after) return void client.write(chunk);
      const fair = chunk.subarray(0, Math.max(0, weather.after - before));
      client.write(fair, () => weather.kind === 'cut' && client.resetAndDestroy());
      if (weather.kind === 'drip') held = Buffer.concat([held, chunk.subarray(fair.length)]);
    });
    origin.on('end', () => weather.kind === 'fair' && client.end());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const self: TcpProxy = {
    port: (server.address() as AddressInfo).port,
    weather: { kind: 'fair' },
    async stop() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return self;
}
