import type { Payload } from 'node-zookeeper-client/lib/jute/index.js';
import type { Clock } from '../runtime/clock.ts';
import type { Outcome, ZooKeeperError } from './errors.ts';
import type { Lifeline } from './lifeline.ts';
import type { Link, Lost, Refusal, Reply } from './link-types.ts';
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
  /** Resolves at the next change of state. */
  changed: (deadline: Deadline) => Promise<void>;
}): Calls {
  const { lifeline, clock } = options;
  let waiting = 0;

  async function nextLink(request: Request, deadline: Deadline): Promise<Link> {
    if (waiting >= MOST_WAITING) throw failure('QUEUE_FULL', { ...request, outcome: 'none' });
    waiting++;
    try {
      for (;;) {
        const stretch = lifeline.now();
        if (stretch) return stretch.link;
        if (lifeline.state === 'closed') throw closed(request);
        if (clock.monotonic() >= deadline) {
          const words = `no connection within the deadline (${lifeline.trouble})`;
          throw failure('DEADLINE', { ...request, outcome: 'none', words });
        }
        await options.changed(deadline);
      }
    } finally {
      waiting--;
    }
  }

  const closed = (request: Request, outcome: Outcome = 'none'): ZooKeeperError =>
    lifeline.failure ?? failure('CLOSED', { ...request, outcome });

  async function ask(request: Request, deadline: Deadline): Promise<Reply> {
    for (;;) {
      const link = lifeline.now()?.link ?? (await nextLink(request, deadline));
      try {
        const reply = await within(link.send(request.type, request.payload), request, deadline);
        lifeline.saw(reply.zxid);
        return reply;
      } catch (thrown) {
        if (isLost(thrown)) {
          if (lifeline.state === 'closed') throw closed(request, request.writes ? 'unknown' : 'none');
          if (!request.writes) continue;
          throw failure('CONNECTION_LOSS', { ...request, outcome: 'unknown', words: thrown.lost.words });
        }
        if (!isRefusal(thrown)) throw thrown;
        lifeline.saw(thrown.zxid);
        throw errorFor(thrown.resultCode, request);
      }
    }
  }

  function within(answer: Promise<Reply>, request: Request, deadline: Deadline): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const cancel = clock.after(Math.max(0, deadline - clock.monotonic()), () =>
        reject(
          failure('DEADLINE', { ...request, outcome: request.writes ? 'unknown' : 'none', words: 'no answer in time' }),
        ),
      );
      answer.then(resolve, reject).finally(cancel);
    });
  }

  return {
    deadline: (ms) => clock.monotonic() + (ms ?? options.defaultMs()),
    ask,
    get waiting() {
      return waiting;
    },
  };
}

const isLost = (thrown: unknown): thrown is Lost => typeof thrown === 'object' && thrown !== null && 'lost' in thrown;
const isRefusal = (thrown: unknown): thrown is Refusal =>
  typeof thrown === 'object' && thrown !== null && 'resultCode' in thrown;
