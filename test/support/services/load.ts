import { Agent, get } from 'node:http';

/** What became of the requests of a load. */
export interface Load {
  readonly sent: number;
  readonly failed: readonly string[];
  stop(): Promise<void>;
}

interface LoadRule {
  readonly perSecond: number;
  /**
   * A request on a kept line that is closed without any answer is sent again once, as browsers do: nginx closes its idle
   * lines at each reload, whoever its servers are.
   */
  readonly resends?: boolean;
}

/** Sends requests at a steady rate until it is stopped, every second one on a kept connection. */
export function startLoad(port: number, { perSecond, resends = false }: LoadRule): Load {
  const kept = new Agent({ keepAlive: true, maxSockets: 16 });
  const failed: string[] = [];
  const open = new Set<Promise<void>>();
  let sent = 0;
  const ask = (agent: Agent | false, again: boolean): Promise<string | null> =>
    new Promise((resolve) => {
      const begun = performance.now();
      const fail = (why: string) => resolve(`${why} after ${Math.round(performance.now() - begun)} ms`);
      const request = get({ host: '127.0.0.1', port, agent, timeout: 10_000 }, (answer) => {
        answer.resume();
        answer.on('end', () => (answer.statusCode === 200 ? resolve(null) : fail(`status ${answer.statusCode}`)));
        answer.on('error', (error) => fail(error.message));
      });
      request.on('error', (error) => {
        if (again && request.reusedSocket) resolve(ask(false, false));
        else fail(error.message);
      });
      request.on('timeout', () => fail('no answer'));
    });
  const one = (): void => {
    sent += 1;
    const request = ask(sent % 2 === 0 ? kept : false, resends).then((wrong) => {
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
    failed,
    async stop() {
      clearInterval(timer);
      await Promise.all(open);
      kept.destroy();
    },
  };
}
