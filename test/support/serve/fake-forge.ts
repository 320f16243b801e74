import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One request that the fake got, in order. */
export interface Got {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Record<string, unknown>;
}

type Answer = readonly [status: number, body: unknown];

export interface FakeForge {
  readonly url: string;
  readonly got: Got[];
  /** What is written there, in order: `POST path state`. */
  told(): string[];
  /** Answers instead of the forge's own; undefined: as the forge does. */
  answer: ((got: Got) => Answer | undefined) | undefined;
  /** Called after the request was taken, before it is answered. */
  taken: ((got: Got) => Promise<void> | void) | undefined;
  /** As if it was started now. */
  reset(): void;
  close(): Promise<void>;
}

/**
 * A forge that records: the parts of the four REST APIs that gitfleet uses, made by hand from their public documents.
 * It keeps deployments and statuses, so that what is asked again is found again.
 */
export async function startFakeForge(): Promise<FakeForge> {
  const got: Got[] = [];
  let keep = createKeep();
  const server = createServer(async (request, response) => {
    const text = await bodyOf(request);
    const body = text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
    const one: Got = { method: request.method ?? '', path: request.url ?? '', headers: request.headers, body };
    got.push(one);
    await forge.taken?.(one);
    const [status, answer] = forge.answer?.(one) ?? keep(one);
    response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(answer));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const forge: FakeForge = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    got,
    told: () =>
      got
        .filter(({ method }) => method !== 'GET')
        .map(({ method, path, body }) => `${method} ${path} ${body['state'] ?? body['status'] ?? ''}`.trim()),
    answer: undefined,
    taken: undefined,
    reset() {
      got.length = 0;
      keep = createKeep();
      forge.answer = undefined;
      forge.taken = undefined;
    },
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
  return forge;
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

interface Kept {
  readonly id: number;
  readonly sha: string;
  readonly payload: unknown;
  status: string;
  readonly statuses: Record<string, unknown>[];
}

function createKeep(): (got: Got) => Answer {
  const deployments: Kept[] = [];
  const statuses: Record<string, unknown>[] = [];
  return ({ method, path, body }) => {
    const { pathname, searchParams } = new URL(path, 'http://forge');
    const of = /\/deployments\/(\d+)(\/statuses)?$/.exec(pathname);
    const one = deployments.find(({ id }) => id === Number(of?.[1]));
    if (one && of?.[2]) {
      if (method === 'GET') return [200, one.statuses.toReversed()];
      one.statuses.push(body);
      return [201, body];
    }
    if (one) {
      one.status = String(body['status']);
      return [200, one];
    }
    if (pathname.endsWith('/deployments')) {
      const sha = searchParams.get('sha');
      if (method === 'GET') return [200, deployments.filter((each) => sha === null || each.sha === sha).toReversed()];
      const made = {
        id: 100 + deployments.length,
        sha: String(body['ref'] ?? body['sha']),
        payload: body['payload'],
        status: String(body['status'] ?? ''),
        statuses: [],
      };
      deployments.push({ ...made, sha: String(body['sha'] ?? body['ref']) });
      return [201, made];
    }
    if (pathname.endsWith('/check-runs')) return [200, { check_runs: [] }];
    if (method === 'GET') {
      const newest = new Map(statuses.map((each) => [each['context'], { ...each, status: each['state'] }]));
      return [200, { statuses: [...newest.values()], values: [] }];
    }
    statuses.push(body);
    return [201, body];
  };
}
