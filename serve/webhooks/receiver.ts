import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock } from '../../runtime/clock.ts';
import { classify } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/log.ts';
import type { ForgeKind } from '../forges/repository.ts';
import { EVENT_HEADER, meaningOf } from './payload.ts';
import { isSigned } from './signature.ts';

/**
 * Where forges deliver: `POST /hook/<installation>`. It verifies, answers at once, and rings; what is published is
 * decided elsewhere. A body has at most 1 MiB and 10 s, and is never decompressed. At most 64 connections are open, so
 * the bodies together have a bound too.
 */
export interface Receiver {
  readonly port: number;
  close(): Promise<void>;
}

export interface Receiving {
  readonly name: string;
  readonly forge: ForgeKind;
  readonly url: string;
  readonly branch: string;
  /** Read at each delivery: a new secret counts without a restart. */
  readonly secrets: () => Promise<readonly string[]>;
  readonly ring: () => void;
}

interface ReceiverParts {
  readonly clock: Pick<Clock, 'now'>;
  readonly log: Logger;
}

const MAX_BYTES = 1024 * 1024;
const SLOW_MS = 10_000;
const MAX_CONNECTIONS = 64;
const PLAIN = { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store', connection: 'close' };

/** @param slowMs how long headers and body together may take. @throws the system's error, such as EADDRINUSE. */
export async function openReceiver(
  where: { readonly host: string; readonly port: number },
  all: readonly Receiving[],
  parts: ReceiverParts,
  slowMs = SLOW_MS,
  create: typeof createServer = createServer,
): Promise<Receiver> {
  const times = { requestTimeout: slowMs, headersTimeout: slowMs, keepAliveTimeout: 1_000 };
  const bounds = { maxHeaderSize: 16_384, connectionsCheckingInterval: Math.min(1_000, slowMs) };
  const server = create({ ...times, ...bounds }, (request, response) => {
    void answer(request, all, parts).then(
      (status) => end(request, response, status),
      (error: unknown) => {
        parts.log.warn({ err: classify(error) }, 'a delivery could not be judged');
        end(request, response, 500);
      },
    );
  });
  server.maxConnections = MAX_CONNECTIONS;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(where.port, where.host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  // Without a listener, a later error such as EMFILE in accept would end the process.
  server.on('error', (error) => parts.log.warn({ err: classify(error) }, 'the HTTP server reported an error'));
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** A body that was not read to its end is cut off with the connection. */
function end(request: IncomingMessage, response: ServerResponse, status: number): void {
  response.writeHead(status, PLAIN);
  response.end(status === 204 ? undefined : `${WORDS[status] ?? 'refused'}\n`, () => {
    if (!request.complete) request.destroy();
  });
}

const WORDS: Readonly<Record<number, string>> = {
  202: 'heard',
  400: 'no JSON of this forge',
  401: 'no signature by a secret of this installation',
  404: 'no such installation',
  405: 'POST only',
  413: 'more than 1 MiB',
  415: 'application/json only, not compressed',
  500: 'not now',
};

async function answer(request: IncomingMessage, all: readonly Receiving[], parts: ReceiverParts): Promise<number> {
  const name = /^\/hook\/([a-z0-9-]{1,50})$/.exec(request.url ?? '')?.[1];
  const to = all.find((each) => each.name === name);
  if (!to) return 404;
  if (request.method !== 'POST') return 405;
  if (!isPlainJson(request)) return 415;
  const body = await bodyOf(request);
  if (body === null) return 413;
  const { rawHeaders } = request;
  const signed = isSigned(to.forge, await to.secrets(), { rawHeaders, body, now: parts.clock.now() });
  if (!signed) return 401;
  const event = request.headers[EVENT_HEADER[to.forge]];
  const meaning = meaningOf(to, typeof event === 'string' ? event : undefined, body);
  if (meaning === 'unreadable') return 400;
  if (meaning === 'silent') return 204;
  to.ring();
  return 202;
}

const isPlainJson = ({ headers }: IncomingMessage): boolean =>
  /^application\/json(?:;|$)/i.test(headers['content-type'] ?? '') && headers['content-encoding'] === undefined;

/** Null: there is more than is taken. */
async function bodyOf(request: IncomingMessage): Promise<Buffer | null> {
  if (Number(request.headers['content-length'] ?? 0) > MAX_BYTES) return null;
  return await new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= MAX_BYTES) return void chunks.push(chunk);
      request.pause();
      chunks.length = 0;
      resolve(null);
    });
    request.on('end', () => resolve(Buffer.concat(chunks)));
    request.on('error', reject);
    request.on('close', () => reject(new Error('the connection ended within the body')));
  });
}
