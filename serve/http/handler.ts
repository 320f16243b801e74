import type { IncomingMessage, ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { classify } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/log.ts';
import { jsonLine } from '../../runtime/safe-text.ts';
import type { TokenFile } from '../../runtime/secrets/token-file.ts';
import { type Asked, type GuardRules, judgeRequest } from './guard.ts';
import { HEADERS } from './headers.ts';
import { answerTo, problem, type RouteAnswer, type RouteParts, type WholeAnswer } from './routes.ts';
import type { Stream } from './stream.ts';

export interface HandlerParts extends RouteParts {
  readonly rules: GuardRules;
  /** Null: only loopback and the unix socket are served. */
  readonly token: TokenFile | null;
  readonly stream: Stream;
  readonly log: Logger;
}

export type Handler = (via: Asked['via'], request: IncomingMessage, response: ServerResponse) => Promise<void>;

const pack = promisify(gzip);
const WORTH_PACKING = 1_000;

/** Answers each request: the guard first, then the token, then the route. Never throws. */
export function createHandler(parts: HandlerParts): Handler {
  return async (via, request, response) => {
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
    request.on('error', () => {});
    response.on('error', () => {});
    try {
      const answer = await judgedAnswer(via, request, parts);
      if (answer.kind === 'stream') follow(request, response, via, parts);
      else await write(answer, request, response);
    } catch (error) {
      parts.log.warn({ err: classify(error) }, 'a request could not be answered');
      if (response.headersSent) response.destroy();
      else await write(problem(500, 'the log of the server says why', 'see its log'), request, response);
    }
  };
}

async function judgedAnswer(via: Asked['via'], request: IncomingMessage, parts: HandlerParts): Promise<RouteAnswer> {
  const { method = '', url = '', rawHeaders } = request;
  const judged = judgeRequest({ via, method, url, rawHeaders }, parts.rules);
  if (judged.kind === 'refused') {
    const { status, error, hint } = judged.refusal;
    return problem(status, error, hint);
  }
  if (judged.needs === 'token' && !(await parts.token?.accepts(request.headers.authorization)))
    return problem(401, 'the token is missing or wrong', "send it: -H 'Authorization: Bearer TOKEN'");
  return await answerTo(judged.path, judged.query, parts);
}

function follow(request: IncomingMessage, response: ServerResponse, via: Asked['via'], parts: HandlerParts): void {
  const { stream, token } = parts;
  if (request.method !== 'GET') return void write(problem(405, 'a stream has no head', 'GET it'), request, response);
  const version = token?.version;
  const added = stream.add({
    response,
    address: via === 'socket' ? null : (request.socket.remoteAddress ?? ''),
    lastEventId: request.headers['last-event-id'] as string | undefined,
    gzip: takesGzip(request),
    mayStay: () => {
      // The file is read when a token is compared; a fleet that all only watch compares none.
      void token?.accepts(undefined);
      return token?.version === version;
    },
  });
  if (!added) {
    response.setHeader('retry-after', '10');
    void write(problem(503, 'too many streams', 'close other pages, or ask /api/v1/status'), request, response);
  }
}

async function write(answer: WholeAnswer, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const type = answer.kind === 'json' ? 'application/json' : answer.type;
  const body = Buffer.from(answer.kind === 'json' ? `${jsonLine(answer.value)}\n` : answer.body);
  const isPacked = takesGzip(request) && body.length > WORTH_PACKING;
  const sent = isPacked ? await pack(body) : body;
  if (answer.status === 401) response.setHeader('www-authenticate', 'Bearer');
  if (answer.status >= 400) response.setHeader('connection', 'close');
  response.writeHead(answer.status, {
    'content-type': type,
    'content-length': sent.length,
    vary: 'accept-encoding',
    ...(isPacked ? { 'content-encoding': 'gzip' } : {}),
  });
  response.end(request.method === 'HEAD' ? undefined : sent);
}

const takesGzip = ({ headers }: IncomingMessage): boolean =>
  /(?:^|,)\s*gzip\s*(?:,|$|;\s*q=(?!0(?:\.0*)?\s*(?:,|$)))/i.test(String(headers['accept-encoding'] ?? ''));
