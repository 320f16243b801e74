import { chmodSync, lstatSync, unlinkSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import type { Handler } from './handler.ts';

export interface Listening {
  readonly port: number;
  close(): Promise<void>;
}

/** More connections are not accepted: those that are open keep working. */
const MAX_CONNECTIONS = 1_000;
const SLOW_MS = 10_000;

/**
 * Listens on an address or on a unix socket. A request that is slow to arrive is ended after 10 s, an idle connection
 * after 5 s. @throws the system's error, such as EADDRINUSE.
 */
export async function listen(
  where: { readonly host: string; readonly port: number } | { readonly socket: string },
  handle: Handler,
): Promise<Listening> {
  const via = 'socket' in where ? 'socket' : 'tcp';
  const options = { requestTimeout: SLOW_MS, headersTimeout: SLOW_MS, keepAliveTimeout: 5_000 };
  const server = createServer({ ...options, connectionsCheckingInterval: 2_000 }, (request, response) => {
    request.resume(); // Nothing is read from a body; what a client sends all the same is dropped.
    void handle(via, request, response);
  });
  server.maxConnections = MAX_CONNECTIONS;
  if ('socket' in where) await removeStale(where.socket);
  await opened(server, where);
  // A proxy of another user reaches it by the group of the directory; others reach nothing.
  if ('socket' in where) chmodSync(where.socket, 0o660);
  const address = server.address() as AddressInfo | string;
  return {
    port: typeof address === 'string' ? 0 : address.port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function opened(server: Server, where: Parameters<typeof listen>[0]): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    const done = () => {
      server.off('error', reject);
      server.on('error', () => {});
      resolve();
    };
    if ('socket' in where) server.listen(where.socket, done);
    else server.listen(where.port, where.host, done);
  });
}

/**
 * A process that was killed leaves its socket. One that answers is in use, and listening then fails. The system refuses
 * a connection to a file that is no socket in the same words: that file stays, and listening fails too.
 */
function removeStale(socket: string): Promise<void> {
  return new Promise((resolve) => {
    const trial = connect(socket);
    trial.on('connect', () => {
      trial.destroy();
      resolve();
    });
    trial.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED' && lstatSync(socket).isSocket()) unlinkSync(socket);
      resolve();
    });
  });
}
