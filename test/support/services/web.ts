import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';

/** The address at which other machines reach this one: loopback addresses are refused for registrations. */
export function ownAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  const found = all.find(({ internal, family }) => !internal && family === 'IPv4');
  if (!found) throw new Error('these tests need an IPv4 address besides loopback');
  return found.address;
}

/**
 * A small http service that stops like an ordinary server: stops listening, completes what is in flight, closes idle
 * connections.
 */
export class Instance {
  readonly host: string;
  port = 0;
  commit = '';
  answered = 0;
  /** Commits whose health check fails; they are served all the same. */
  readonly unwell: ReadonlySet<string>;
  #server: Server | null = null;

  constructor(host: string, unwell: ReadonlySet<string> = new Set()) {
    this.host = host;
    this.unwell = unwell;
  }

  async start(commit: string): Promise<void> {
    this.commit = commit;
    const server = createServer((request, response) => {
      if (request.url === '/up') {
        response.statusCode = this.unwell.has(this.commit) ? 500 : 200;
        response.end();
        return;
      }
      const { commit: served } = this;
      setTimeout(() => {
        this.answered += 1;
        response.end(served);
      }, 5);
    });
    server.keepAliveTimeout = 60_000;
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.port, this.host, resolve);
    });
    this.port = (server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    if (!server) return;
    this.#server = null;
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeIdleConnections();
    const late = setTimeout(() => server.closeAllConnections(), 1_000);
    await closed;
    clearTimeout(late);
  }
}

/** The instances of one test, and the port at which their agents request a restart. */
export class Farm {
  readonly instances = new Map<string, Instance>();
  readonly unwell = new Set<string>();
  #control: Server | null = null;
  port = 0;

  async start(names: readonly string[], host = ownAddress()): Promise<void> {
    for (const name of names) {
      const instance = new Instance(host, this.unwell);
      await instance.start('none');
      this.instances.set(name, instance);
    }
    const control = createServer(async (request, response) => {
      const [, name = '', commit = ''] = (request.url ?? '').split('/');
      const instance = this.instances.get(name);
      await instance?.stop();
      // A process takes time to start.
      await new Promise((resolve) => setTimeout(resolve, 150));
      await instance?.start(commit);
      response.statusCode = instance ? 200 : 404;
      response.end();
    });
    this.#control = control;
    await new Promise<void>((resolve) => control.listen(0, '127.0.0.1', resolve));
    this.port = (control.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    await Promise.all([...this.instances.values()].map((instance) => instance.stop()));
    const control = this.#control;
    await new Promise((resolve) => (control ? control.close(resolve) : resolve(null)));
  }
}
