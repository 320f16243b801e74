import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer as createHttp, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttps } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

export interface Authority {
  readonly caFile: string;
  readonly keyFile: string;
  readonly certFile: string;
}

/** A certificate authority for tests, and a server certificate for 127.0.0.1 signed by it. */
export function makeAuthority(directory: string): Authority {
  mkdirSync(directory, { recursive: true });
  const at = (name: string) => join(directory, name);
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe', cwd: directory });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl('req', '-x509', ...key, '-days', '2', '-subj', '/CN=test authority', '-keyout', 'ca.key', '-out', 'ca.pem');
  openssl('req', ...key, '-subj', '/CN=127.0.0.1', '-keyout', 'server.key', '-out', 'server.csr');
  writeFileSync(at('san'), 'subjectAltName=IP:127.0.0.1,DNS:localhost\n');
  const sign = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', 'san'];
  openssl('x509', '-req', '-in', 'server.csr', ...sign, '-out', 'server.pem');
  return { caFile: at('ca.pem'), keyFile: at('server.key'), certFile: at('server.pem') };
}

export interface HttpsOrigin {
  readonly port: number;
  url(repository: string): string;
  /** `user:password` pairs that may read; empty: everyone. */
  allowed: string[];
  /** If set, every request is redirected there. */
  redirectTo: string | null;
  /** If set, every request is answered with this status. */
  status: number | null;
  /** The requests so far, newest last: `GET /r.git/info/refs?service=git-upload-pack`. */
  readonly requests: string[];
  stop(): Promise<void>;
}

/** Serves the bare repositories below `root` with git's own http-backend; over TLS if an authority is given. */
export async function startHttpsOrigin(root: string, authority?: Authority): Promise<HttpsOrigin> {
  const origin = { allowed: [] as string[], redirectTo: null as string | null, status: null as number | null };
  const requests: string[] = [];
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    requests.push(`${request.method} ${request.url}`);
    if (self.status !== null) return response.writeHead(self.status).end();
    if (self.redirectTo !== null) return response.writeHead(302, { location: self.redirectTo + request.url }).end();
    const [, word = ''] = /^Basic (\S+)$/.exec(request.headers.authorization ?? '') ?? [];
    if (self.allowed.length > 0 && !self.allowed.includes(Buffer.from(word, 'base64').toString('utf8'))) {
      return response.writeHead(401, { 'www-authenticate': 'Basic realm="test"' }).end();
    }
    backend(root, request, response);
  };
  const server = authority
    ? createHttps({ key: readFileSync(authority.keyFile), cert: readFileSync(authority.certFile) }, answer)
    : createHttp(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const self: HttpsOrigin = Object.assign(origin, {
    port,
    requests,
    url: (repository: string) => `${authority ? 'https' : 'http'}://127.0.0.1:${port}/${repository}`,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  });
  return self;
}

/** One request through CGI. */
function backend(root: string, request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url ?? '/', 'http://x');
  const child = spawn('git', ['http-backend'], {
    env: {
      PATH: process.env['PATH'] ?? '',
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: '1',
      PATH_INFO: decodeURIComponent(url.pathname),
      QUERY_STRING: url.search.slice(1),
      REQUEST_METHOD: request.method ?? 'GET',
      CONTENT_TYPE: request.headers['content-type'] ?? '',
      HTTP_CONTENT_ENCODING: String(request.headers['content-encoding'] ?? ''),
      ...(request.headers['git-protocol'] ? { GIT_PROTOCOL: String(request.headers['git-protocol']) } : {}),
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  child.stdin.on('error', () => {});
  request.pipe(child.stdin);
  let head = Buffer.alloc(0);
  let started = false;
  child.stdout.on('data', (chunk: Buffer) => {
    if (started) return void response.write(chunk);
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) return;
    started = true;
    let status = 200;
    for (const line of head.toString('latin1', 0, end).split('\r\n')) {
      const [name = '', value = ''] = line.split(/: (.*)/s);
      if (name.toLowerCase() === 'status') status = Number.parseInt(value, 10);
      else response.setHeader(name, value);
    }
    response.writeHead(status);
    response.write(head.subarray(end + 4));
  });
  child.stdout.on('end', () => response.end());
  response.on('close', () => child.kill());
}
