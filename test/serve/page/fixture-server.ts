import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pathToFileURL } from 'node:url';
import type { Snapshot } from '../../../serve/api/shapes.ts';
import { HEADERS } from '../../../serve/http/headers.ts';
import { pageFiles } from '../../../serve/page/files.ts';
import { aliveAt, detailsOf } from './fixture.ts';

/** A server of the page's shape that does what a test says, and notes each request. It sends `alive` twice a second. */

const BUILT = `${import.meta.dirname}/../../../dist/page/`;

export interface FixtureServer {
  readonly url: string;
  readonly requests: readonly { readonly url: string; readonly authorization: string; readonly lastEventId: string }[];
  /** What a new viewer gets first. */
  show(snapshot: Snapshot): void;
  /** To all who watch. */
  send(name: string, data: unknown): void;
  /** With false it is silent, and accepts no new viewer. */
  speak(speaks: boolean): void;
  /** Null: everybody may look. */
  require(token: string | null): void;
  readonly viewers: () => number;
  outputOf(agentId: string, output: string): void;
  /** Breaks the connections of those who watch. */
  drop(): void;
  close(): Promise<void>;
}

/** @param built where the build left the page. */
export async function startFixtureServer(first: Snapshot, built = BUILT): Promise<FixtureServer> {
  const files = pageFiles(pathToFileURL(built));
  const streams = new Set<ServerResponse>();
  const requests: { url: string; authorization: string; lastEventId: string }[] = [];
  const outputs = new Map<string, string>();
  let snapshot = first;
  let speaks = true;
  let token: string | null = null;
  let sent = 0;
  const event = (name: string, data: unknown) => `id: p-${++sent}\nevent: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
  const sendAll = (name: string, data: unknown) => {
    const text = event(name, data);
    for (const stream of streams) stream.write(text);
  };
  const beats = setInterval(() => speaks && sendAll('alive', aliveAt(0)), 500);
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    const { pathname } = new URL(request.url ?? '/', 'http://127.0.0.1');
    const { authorization = '', 'last-event-id': lastEventId = '' } = request.headers;
    requests.push({ url: request.url ?? '', authorization, lastEventId: String(lastEventId) });
    const file = files.get(pathname);
    if (file) return void response.writeHead(200, { ...HEADERS, 'content-type': file.type }).end(file.body);
    if (token !== null && authorization !== `Bearer ${token}`) return void response.writeHead(401).end('{}');
    const agent = /^\/api\/v1\/agents\/([^/]+)$/.exec(pathname);
    if (agent) return answerAgent(decodeURIComponent(agent[1] as string), response);
    if (pathname !== '/api/v1/events') return void response.writeHead(404).end();
    if (!speaks) return void response.writeHead(503).end();
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    response.write(event('snapshot', snapshot) + event('synced', {}));
    streams.add(response);
    response.on('close', () => streams.delete(response));
  };
  const answerAgent = (agentId: string, response: ServerResponse) => {
    const at = snapshot.agents.agentId.indexOf(agentId);
    if (at < 0) return void response.writeHead(404).end('{}');
    const row = Object.fromEntries(Object.entries(snapshot.agents).map(([name, all]) => [name, all[at]]));
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(detailsOf(row as never, outputs.get(agentId) ?? null)));
  };
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const drop = () => {
    for (const stream of streams) stream.destroy();
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    requests,
    show: (next) => {
      snapshot = next;
    },
    send: sendAll,
    speak: (does) => {
      speaks = does;
    },
    require: (next) => {
      token = next;
    },
    viewers: () => streams.size,
    outputOf: (agentId, output) => void outputs.set(agentId, output),
    drop,
    close: async () => {
      clearInterval(beats);
      drop();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
