import { Agent, get } from 'node:http';

/** The results of the requests of a load. */
export interface Load {
  readonly sent: number;
  readonly failed: readonly string[];
  /** The number of requests that were sent again. */
  readonly resent: number;
  stop(): Promise<void>;
}

interface LoadRule {
  readonly perSecond: number;
  /**
   * A request whose connection is closed without any answer is sent again once. At each reload nginx closes its idle
   * connections, and on a machine that is short of time also ones that it accepted and has not read from yet, whatever
   * its servers are.
   */
  readonly resends?: boolean;
}

/** One request: null, or what went wrong. */
type Send = (kept: Agent | false) => Promise<string | null>;

/** Sends requests at a steady rate until it is stopped, every second one on a kept connection. */
export function startLoad(to: number | Send, { perSecond, resends = false }: LoadRule): Load {
  const kept = new Agent({ keepAlive: true, maxSockets: 16 });
  let resent = 0;
  const count = () => {
    resent += 1;
  };
  const again = resends ? count : null;
  const send: Send = typeof to === 'number' ? (agent) => ask(to, agent, again) : to;
  const failed: string[] = [];
  const open = new Set<Promise<void>>();
  let sent = 0;
  const one = (): void => {
    sent += 1;
    const request = send(sent % 2 === 0 ? kept : false).then((wrong) => {
      if (wrong !== null) failed.push(wrong);
    });
    open.add(request);
    void request.then(() => open.delete(request));
  };
  const started = performance.now();
  const timer = setInterval(() => {
    const due = ((performance.now() - started) * perSecond) / 1_000;
    for (let at = sent; at < due; at++) one();
  }, 5);
  return {
    get sent() {
      return sent;
    },
    get resent() {
      return resent;
    },
    failed,
    async stop() {
      clearInterval(timer);
      await Promise.all(open);
      kept.destroy();
    },
  };
}

/** @param again called where the request is sent again; null: it is not. */
export function ask(
  port: number,
  agent: Agent | false,
  again: (() => void) | null,
  host = '127.0.0.1',
): Promise<string | null> {
  return new Promise((resolve) => {
    const begun = performance.now();
    const fail = (why: string) => resolve(`${why} after ${Math.round(performance.now() - begun)} ms`);
    let answered = false;
    const request = get({ host, port, agent, timeout: 10_000 }, (answer) => {
      answered = true;
      answer.resume();
      answer.on('end', () => (answer.statusCode === 200 ? resolve(null) : fail(`status ${answer.statusCode}`)));
      answer.on('error', (error) => fail(error.message));
    });
    request.on('error', (error) => {
      if (!again || answered) return fail(error.message);
      again();
      resolve(ask(port, false, null, host));
    });
    request.on('timeout', () => fail('no answer'));
  });
}
