import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, isIP } from 'node:net';
import { classify } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/log.ts';
import type { TokenFile } from '../../runtime/secrets/token-file.ts';

interface EndpointParts {
  /** Port 0: any free port. */
  readonly listen: { readonly host: string; readonly port: number };
  /** If `alive` is false, the answer is 503: a loop is stuck. An outage of ZooKeeper or git does not make it false. */
  readonly health: () => { readonly alive: boolean } & Readonly<Record<string, unknown>>;
  readonly metrics: { readonly contentType: string; text(): Promise<string> };
  /** Serves other paths, such as flags; resolves to false if the path is not one of its own. */
  readonly more: (path: string, request: IncomingMessage, response: ServerResponse) => Promise<boolean>;
  /** What clients must present; null: nothing, because only this machine reaches the address. */
  readonly token: TokenFile | null;
  readonly log: Logger;
}

/** Many more than one scraper and a few programs need; others get no connection. */
const MAX_CONNECTIONS = 500;

interface Endpoint {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Serves `/healthz`, `/metrics` and what `more` serves to users of this machine, or to those who present the token;
 * without it `/healthz` answers only whether the agent is alive. It only reads, and no deployment waits for it.
 * @throws FleetError with the system's code if the address is not available, such as EADDRINUSE.
 */
export async function openEndpoint({ listen, health, metrics, more, token, log }: EndpointParts): Promise<Endpoint> {
  const server = createServer({ requestTimeout: 10_000, headersTimeout: 10_000 }, (request, response) => {
    if (token === null) answer(request, response);
    else void answerIfAllowed(token, request, response);
  });
  server.maxConnections = MAX_CONNECTIONS;

  async function answerIfAllowed({ accepts }: TokenFile, request: IncomingMessage, response: ServerResponse) {
    if (await accepts(request.headers.authorization)) return answer(request, response);
    const { alive } = health();
    if (request.url === '/healthz') return end(response, alive ? 200 : 503, 'application/json', `{"alive":${alive}}\n`);
    response.setHeader('www-authenticate', 'Bearer');
    return end(response, 401, 'text/plain', 'send the token of agent.listenTokenFile\n');
  }

  function answer(request: IncomingMessage, response: ServerResponse) {
    const path = (request.url ?? '/').split('?')[0] as string;
    // A web page in a browser on this machine could reach us by a name of its own that resolves to this address. It does
    // not know the token.
    if (token === null && !isOurs(request.headers.host))
      return end(response, 403, 'text/plain', 'ask by address or as localhost\n');
    if (path !== '/healthz' && path !== '/metrics') return void answerMore(path, request, response);
    if (request.method !== 'GET' && request.method !== 'HEAD') return end(response, 405, 'text/plain', 'GET only\n');
    if (path === '/metrics') return void answerMetrics(response);
    const body = health();
    return end(response, body.alive ? 200 : 503, 'application/json', `${JSON.stringify(body)}\n`);
  }

  async function answerMore(path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      if (!(await more(path, request, response))) end(response, 404, 'text/plain', 'here are /healthz and /metrics\n');
    } catch (error) {
      log.warn({ err: classify(error) }, 'a request could not be answered');
      end(response, 500, 'text/plain', 'the log of the agent says why\n');
    }
  }

  async function answerMetrics(response: ServerResponse): Promise<void> {
    try {
      end(response, 200, metrics.contentType, await metrics.text());
    } catch (error) {
      log.warn({ err: classify(error) }, 'metrics could not be written');
      end(response, 500, 'text/plain', 'the log of the agent says why\n');
    }
  }

  await listening(server, listen);
  // Without a listener, a later error such as EMFILE in accept would end the agent.
  server.on('error', (error) => log.warn({ err: classify(error) }, 'the endpoint reported an error'));
  // The listening socket does not keep the process alive; `close` also ends connections that scrapers keep open.
  server.unref();
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** By an address, or as localhost. No other name is ours. */
function isOurs(host: string | undefined): boolean {
  const name = (host ?? '').replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
  return name === 'localhost' || isIP(name) !== 0;
}

function listening(server: Server, { host, port }: EndpointParts['listen']): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function end(response: ServerResponse, status: number, type: string, body: string): void {
  if (response.headersSent) return void response.destroy();
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' });
  response.end(body);
}
