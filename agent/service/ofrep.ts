import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { evaluate } from '../../fleet/flags/evaluate.ts';
import type { Evaluation } from '../../fleet/flags/evaluation.ts';
import type { Flags } from '../../schemas/flags.ts';

const PREFIX = '/ofrep/v1/evaluate/flags';
const MAX_BODY_BYTES = 65_536;

/**
 * Answers OpenFeature's remote evaluation protocol (https://github.com/open-feature/protocol, OFREP 1) for programs on
 * this server: `POST /ofrep/v1/evaluate/flags/NAME` for one flag, `POST /ofrep/v1/evaluate/flags` for all, with ETag.
 * It reads only what the agent keeps in memory, so it also answers while ZooKeeper is away.
 * @returns false if the path is not one of its own.
 */
export async function answerOfrep(
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
  flags: Flags,
): Promise<boolean> {
  if (path !== PREFIX && !path.startsWith(`${PREFIX}/`)) return false;
  if (request.method !== 'POST') return answer(response, 405, { errorDetails: 'POST only' });
  const body = await bodyOf(request);
  const context = body === null ? null : contextOf(body);
  const name = path === PREFIX ? null : decoded(path.slice(PREFIX.length + 1));
  if (context === null || name === undefined) {
    return answer(response, 400, {
      ...(name ? { key: name } : {}),
      errorCode: 'PARSE_ERROR',
      errorDetails: 'not a request of OFREP',
    });
  }
  if (name === null) return answerAll(request, response, flags, context);
  const evaluation = evaluate(flags, name, context);
  const status = evaluation.reason === 'ERROR' ? (evaluation.errorCode === 'FLAG_NOT_FOUND' ? 404 : 400) : 200;
  return answer(response, status, said(name, evaluation));
}

function answerAll(request: IncomingMessage, response: ServerResponse, flags: Flags, context: Context): boolean {
  const all = [...flags.flags.keys()].map((name) => said(name, evaluate(flags, name, context)));
  const body = JSON.stringify({ flags: all });
  const etag = `"${createHash('sha256').update(body).digest('hex').slice(0, 32)}"`;
  if (request.headers['if-none-match'] === etag) {
    response.writeHead(304, { etag }).end();
    return true;
  }
  response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-store', etag }).end(`${body}\n`);
  return true;
}

function said(key: string, evaluation: Evaluation): object {
  if (evaluation.reason === 'ERROR') return { key, errorCode: evaluation.errorCode };
  // Without a value, a client uses its own default, as the protocol says.
  if (evaluation.variant === null) return { key, reason: evaluation.reason };
  return { key, reason: evaluation.reason, variant: evaluation.variant, value: evaluation.value };
}

interface Context {
  readonly targetingKey?: string;
}

function contextOf(body: Buffer): Context | null {
  try {
    const read: unknown = body.length === 0 ? {} : JSON.parse(body.toString('utf8'));
    if (typeof read !== 'object' || read === null) return null;
    const { context = {} } = read as { context?: unknown };
    if (typeof context !== 'object' || context === null) return null;
    const { targetingKey } = context as { targetingKey?: unknown };
    return typeof targetingKey === 'string' ? { targetingKey } : {};
  } catch {
    return null;
  }
}

/** Null: the body is too long, or the sender aborted it. */
function bodyOf(request: IncomingMessage): Promise<Buffer | null> {
  return new Promise((resolve) => {
    const parts: Buffer[] = [];
    let size = 0;
    request.on('data', (part: Buffer) => {
      size += part.length;
      if (size > MAX_BODY_BYTES) resolve(null);
      else parts.push(part);
    });
    request.on('end', () => resolve(Buffer.concat(parts)));
    request.on('close', () => resolve(null));
    request.on('error', () => resolve(null));
  });
}

/** Undefined: not a valid path. */
function decoded(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}

function answer(response: ServerResponse, status: number, body: object): boolean {
  response
    .writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' })
    .end(`${JSON.stringify(body)}\n`);
  return true;
}
