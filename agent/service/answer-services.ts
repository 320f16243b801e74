import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../../runtime/clock.ts';
import { parseDuration } from '../../schemas/duration.ts';
import { SERVICE_NAME } from '../../schemas/settings/service-settings.ts';
import type { FollowedList, FollowedLists } from '../../services/followed-lists.ts';
import { formatList } from '../../services/write/formats.ts';

const FORMATS = { '/v1/services/': 'json', '/v1/prometheus/': 'prometheus' } as const;
const FIRST_MS = 5_000;
const MOST_MS = 300_000;

/**
 * Answers `GET /v1/services/<business>/<what>` with the list of a service, and `GET /v1/prometheus/<business>/<what>`
 * with the same for Prometheus (http_sd). With If-None-Match an unchanged list is a 304; with `?wait=30s` that answer
 * first waits for a change. While ZooKeeper is away the answer is the last list. It acknowledges nothing to instances
 * that leave. @returns false if the path is not one of its own.
 */
export async function answerServices(
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
  lists: FollowedLists,
  clock: Clock,
): Promise<boolean> {
  const prefix = (Object.keys(FORMATS) as (keyof typeof FORMATS)[]).find((each) => path.startsWith(each));
  if (prefix === undefined) return false;
  const service = path.slice(prefix.length);
  if (request.method !== 'GET' && request.method !== 'HEAD') return refuse(response, 405, 'GET only');
  if (!SERVICE_NAME.test(service)) return refuse(response, 400, 'not the name of a service, such as shop/web');
  const waitMs = waitOf(request.url ?? '');
  if (waitMs === null) return refuse(response, 400, 'wait must be a duration of at most 5m, such as 30s');
  const followed = lists.of(service);
  if (!followed) return refuse(response, 503, 'too many services are asked for');
  if ((waitMs > 0 || !followed.list) && !lists.mayWait()) return refuse(response, 503, 'too many requests wait');
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  if (!followed.list) await followed.changed(FIRST_MS, gone.signal);
  if (!followed.list) return refuse(response, 503, 'ZooKeeper has not answered yet');
  const known = request.headers['if-none-match'];
  const page = await pageOf(
    () => pageNow(followed, FORMATS[prefix], service),
    known,
    followed,
    waitMs,
    clock,
    gone.signal,
  );
  const headers = { 'content-type': 'application/json', 'cache-control': 'no-cache', etag: page.etag };
  if (page.etag === known) response.writeHead(304, headers).end();
  else response.writeHead(200, headers).end(page.body);
  return true;
}

interface Page {
  readonly body: string;
  readonly etag: string;
}

/** The first page that differs from the known one, within the time. */
async function pageOf(
  now: () => Page,
  known: string | undefined,
  followed: FollowedList,
  waitMs: number,
  clock: Clock,
  signal: AbortSignal,
): Promise<Page> {
  const until = clock.monotonic() + waitMs;
  for (;;) {
    const page = now();
    const left = until - clock.monotonic();
    if (page.etag !== known || left <= 0 || signal.aborted) return page;
    await followed.changed(left, signal);
  }
}

function pageNow({ list }: FollowedList, format: (typeof FORMATS)[keyof typeof FORMATS], service: string): Page {
  const body = list ? formatList(format, service, list) : '';
  return { body, etag: `"${createHash('sha256').update(body).digest('hex').slice(0, 32)}"` };
}

/** 0: no waiting; null: not a duration. */
function waitOf(url: string): number | null {
  const wait = new URL(url, 'http://localhost').searchParams.get('wait');
  const ms = wait === null ? 0 : parseDuration(wait);
  return ms !== null && ms <= MOST_MS ? ms : null;
}

function refuse(response: ServerResponse, status: number, error: string): boolean {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(`${JSON.stringify({ error })}\n`);
  return true;
}
