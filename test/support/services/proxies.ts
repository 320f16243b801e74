import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { until } from '../until.ts';

/** A real proxy for this test; `stop` ends it. */
export interface TestProxy {
  readonly port: number;
  stop(): Promise<void>;
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const program = (name: string): string => (existsSync(`/usr/sbin/${name}`) ? `/usr/sbin/${name}` : name);

/** Debian's HAProxy, with slots for the servers and a runtime socket. It does not retry requests. */
export async function startHaproxy(directory: string, slots = 16): Promise<TestProxy & { socket: string }> {
  await mkdir(directory, { recursive: true });
  const port = await freePort();
  const socket = join(directory, 'admin.sock');
  const file = join(directory, 'haproxy.cfg');
  await writeFile(
    file,
    `global
  stats socket ${socket} mode 600 level admin
defaults
  mode http
  timeout connect 1s
  timeout client 30s
  timeout server 10s
  retries 0
frontend shop
  bind 127.0.0.1:${port}
  default_backend shop
backend shop
  balance roundrobin
  http-reuse always
  server-template web 1-${slots} 127.0.0.1:1 disabled
`,
  );
  const child = spawn(program('haproxy'), ['-db', '-f', file], { stdio: 'ignore' });
  await until('haproxy listens', async () => existsSync(socket));
  return { port, socket, stop: () => end(child) };
}

interface TestNginx extends TestProxy {
  readonly include: string;
  readonly pidFile: string;
  readonly reload: string;
  /** Per request that it passed on: the servers that it tried, separated by commas. */
  tries(): Promise<string[]>;
}

/** Debian's nginx, which reads the servers from a file that gitfleet writes. It tries one server per request. */
export async function startNginx(directory: string): Promise<TestNginx> {
  await mkdir(directory, { recursive: true });
  const port = await freePort();
  const [include, pidFile, file] = ['servers.conf', 'nginx.pid', 'nginx.conf'].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ];
  await writeFile(include, 'upstream shop_web {\n  server 127.0.0.1:9 down;\n}\n');
  await writeFile(
    file,
    `daemon off;
pid ${pidFile};
error_log ${join(directory, 'error.log')};
worker_processes 2;
worker_shutdown_timeout 5s;
events { worker_connections 512; }
http {
  log_format tries '$upstream_addr';
  access_log ${join(directory, 'tries.log')} tries;
  client_body_temp_path ${directory}/body;
  proxy_temp_path ${directory}/proxy;
  fastcgi_temp_path ${directory}/fastcgi;
  uwsgi_temp_path ${directory}/uwsgi;
  scgi_temp_path ${directory}/scgi;
  include ${include};
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://shop_web;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_next_upstream off;
    }
  }
}
`,
  );
  const args = ['-c', file, '-p', directory, '-e', join(directory, 'error.log')];
  const child = spawn(program('nginx'), args, { stdio: 'ignore' });
  await until('nginx runs', async () => existsSync(pidFile));
  const reload = `${program('nginx')} ${args.join(' ')} -s reload`;
  const tries = async () => (await readFile(join(directory, 'tries.log'), 'utf8')).split('\n').filter(Boolean);
  return { port, include, pidFile, reload, tries, stop: () => end(child) };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const over = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  const force = setTimeout(() => child.kill('SIGKILL'), 5_000);
  await over;
  clearTimeout(force);
}

/** A runtime socket of a busy HAProxy: each command reaches it later by this time. */
export async function busySocket(socket: string, ms: number): Promise<{ socket: string; stop(): Promise<void> }> {
  const path = `${socket}.busy`;
  const server = createServer({ allowHalfOpen: true }, (line) => {
    line.once('data', (command) => {
      setTimeout(() => {
        const target = connect(socket, () => target.write(command));
        target.on('error', () => line.destroy());
        target.pipe(line);
      }, ms);
    });
    line.on('error', () => {});
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return { socket: path, stop: () => new Promise((resolve) => server.close(() => resolve())) };
}
