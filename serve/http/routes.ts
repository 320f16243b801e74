import { AGENT_ID } from '../../schemas/znodes.ts';
import type { Head } from '../api/shapes.ts';
import type { Picture } from '../picture/picture.ts';
import { agentAnswer, flagsAnswer, historyAnswer, rolloutAnswer, servicesAnswer, statusAnswer } from './answers.ts';

/** The answer to a path: a value for JSON, text of another type, a refusal, or the stream of events. */
export type RouteAnswer = WholeAnswer | { readonly kind: 'stream' };
export type WholeAnswer =
  | { readonly kind: 'json'; readonly status: number; readonly value: unknown }
  | { readonly kind: 'text'; readonly type: string; readonly body: string | Buffer; readonly status: number };

/** A file of the page. */
export interface PageFile {
  readonly type: string;
  readonly body: string | Buffer;
}

export interface RouteParts {
  readonly picture: Picture;
  readonly head: Head;
  /** The files of the page by path, `/` included. */
  readonly page: ReadonlyMap<string, PageFile>;
  readonly metrics: { readonly contentType: string; text(): Promise<string> };
  /** Documents that never change, by path. */
  readonly documents: ReadonlyMap<string, () => unknown>;
}

const MOST_RECORDS = 200;

/** What is at a path. The guard has passed it already. */
export async function answerTo(path: string, query: string, parts: RouteParts): Promise<RouteAnswer> {
  const { picture, page, metrics, documents } = parts;
  const file = page.get(path);
  if (file) return { kind: 'text', status: 200, type: file.type, body: file.body };
  const document = documents.get(path);
  if (document) return json(200, document());
  if (path === '/healthz') return json(200, { alive: true, zookeeper: picture.freshness().zookeeper });
  if (path === '/metrics') return { kind: 'text', status: 200, type: metrics.contentType, body: await metrics.text() };
  if (path === '/api/v1/events') return { kind: 'stream' };
  return path.startsWith('/api/v1/') ? answerOfApi(path.slice('/api/v1/'.length), query, parts) : notFound();
}

function answerOfApi(name: string, query: string, { picture, head }: RouteParts): RouteAnswer {
  const [state, seen, freshness] = [picture.current()?.state, picture.seen(), picture.freshness()];
  const [first, id, ...more] = name.split('/');
  if (!NAMES.includes(first ?? '') || more.length > 0 || (id !== undefined) !== (first === 'agents')) return notFound();
  if (!state || !seen)
    return problem(503, 'the fleet has not been read yet', freshness.zookeeper.stale?.reason ?? 'ask again');
  switch (first) {
    case 'status':
      return json(200, statusAnswer(state, head, freshness));
    case 'history':
      return historyOf(query, (limit) => json(200, historyAnswer(state, freshness, limit)));
    case 'rollout':
      return json(200, rolloutAnswer(state, freshness));
    case 'services':
      return json(200, servicesAnswer(state, seen, freshness));
    case 'flags':
      return json(200, flagsAnswer(seen, freshness));
    default: {
      const found = AGENT_ID.test(id ?? '') ? agentAnswer(id ?? '', state, seen, freshness) : null;
      return found ? json(200, found) : problem(404, 'no such agent', '/api/v1/status lists them');
    }
  }
}

const NAMES = ['status', 'history', 'rollout', 'services', 'flags', 'agents'];

function historyOf(query: string, answer: (limit: number) => RouteAnswer): RouteAnswer {
  const given = new URLSearchParams(query).get('limit') ?? '50';
  const limit = /^\d{1,3}$/.test(given) ? Number(given) : 0;
  if (limit >= 1 && limit <= MOST_RECORDS) return answer(limit);
  return problem(400, `limit must be a whole number from 1 to ${MOST_RECORDS}`, '/api/v1/history?limit=50');
}

const json = (status: number, value: unknown): WholeAnswer => ({ kind: 'json', status, value });
export const problem = (status: number, error: string, hint: string): WholeAnswer => json(status, { error, hint });
const notFound = (): RouteAnswer => problem(404, 'no such path', 'see /api/v1/openapi.json');
