import type { Payload } from 'node-zookeeper-client/lib/jute/index.js';
import type { Clock } from '../runtime/clock.ts';
import { type Outcome, ZooKeeperError } from './errors.ts';
import type { Lifeline } from './lifeline.ts';
import type { Answer, Reply } from './link-types.ts';
import { errorFor, failure } from './result-codes.ts';

export interface Request {
  /** For messages: `set`, `create` ... */
  readonly op: string;
  readonly path: string;
  readonly type: number;
  readonly payload: Payload;
  /** A write is never sent twice: when its answer is lost, the outcome is `unknown`. */
  readonly writes: boolean;
}

/** When a public call must have answered, as a point of the monotonic clock. */
export type Deadline = number;

export interface Calls {
  deadline(ms: number | undefined): Deadline;
  ask(request: Request, deadline: Deadline): Promise<Reply>;
  readonly waiting: number;
}

const MOST_WAITING = 10_000;

/**
 * One request, one answer. Where no server is connected it waits in here and not in the client, so that its deadline
 * ends it. Reads are asked again after a lost connection until the deadline; a write whose answer is lost fails with
 * CONNECTION_LOSS or DEADLINE and outcome `unknown`, one that was never sent with outcome `none`.
 */
export function createCalls(options: {
  lifeline: Lifeline;
  clock: Clock;
  defaultMs: () => number;
  /** Calls back once, at the next change of state; the returned function takes it back. */
  onceChanged: (changed: () => void) => () => void;
}): Calls {
  const { lifeline, clock } = options;
  let waiting = 0;

  /** One promise and one timer for each call: a fleet's agents all ask in the same instant. */
  function ask(request: Request, deadline: Deadline): Promise<Reply> {
    return new Promise((resolve, reject) => {
      let over = false;
      let sent = false;
      let stopWaiting: (() => void) | undefined;
      const cancel = clock.after(Math.max(0, deadline - clock.monotonic()), () => finish(late(request, sent)));

      function finish(result: Reply | ZooKeeperError): void {
        if (over) return;
        over = true;
        cancel();
        noLongerWait();
        if (result instanceof ZooKeeperError) reject(result);
        else resolve(result);
      }

      function attempt(): void {
        if (over) return;
        const link = lifeline.now()?.link;
        sent = link !== undefined;
        if (link) link.send(request.type, request.payload, take);
        else if (lifeline.state === 'closed') finish(closed(request, 'none'));
        else if (waiting >= MOST_WAITING) finish(failure('QUEUE_FULL', { ...request, outcome: 'none' }));
        else wait();
      }

      function wait(): void {
        waiting++;
        stopWaiting = options.onceChanged(() => {
          noLongerWait();
          attempt();
        });
      }

      function noLongerWait(): void {
        if (!stopWaiting) return;
        waiting--;
        stopWaiting();
        stopWaiting = undefined;
      }

      /** On the client's stack: only takes note. */
      function take(answer: Answer): void {
        if (answer.is !== 'lost') lifeline.saw(answer.zxid);
        if (answer.is === 'reply') finish(answer);
        else if (answer.is === 'refusal') finish(errorFor(answer.resultCode, request));
        else if (over) return;
        else if (lifeline.state === 'closed') finish(closed(request, request.writes ? 'unknown' : 'none'));
        else if (!request.writes)
          void Promise.resolve().then(attempt); // Once the lifeline knows of the end, too.
        else finish(failure('CONNECTION_LOSS', { ...request, outcome: 'unknown', words: answer.end.words }));
      }

      attempt();
    });
  }

  function late(request: Request, sent: boolean): ZooKeeperError {
    const words = sent ? 'no answer in time' : `no connection within the deadline (${lifeline.trouble})`;
    return failure('DEADLINE', { ...request, outcome: sent && request.writes ? 'unknown' : 'none', words });
  }

  const closed = (request: Request, outcome: Outcome): ZooKeeperError =>
    lifeline.failure ?? failure('CLOSED', { ...request, outcome });

  return {
    deadline: (ms) => clock.monotonic() + (ms ?? options.defaultMs()),
    ask,
    get waiting() {
      return waiting;
    },
  };
}
