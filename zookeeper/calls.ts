import type { Payload } from 'node-zookeeper-client/lib/jute/index.js';
import type { Clock } from '../runtime/clock.ts';
import { type Deadline, type Deadlines, type Timed, watchDeadlines } from '../runtime/deadlines.ts';
import type { WriteOutcome, ZooKeeperError } from './errors.ts';
import { errorFor, failureOfCode, NO_NODE } from './result-codes.ts';
import type { SessionLoop } from './session-loop.ts';
import type { Answer, Reply } from './wire/connection-types.ts';

export interface Request {
  /** For error messages: `set`, `create` ... */
  readonly op: string;
  readonly path: string;
  readonly type: number;
  readonly payload: Payload;
  /** A write is never sent twice: if its answer is lost, the outcome is `unknown`. */
  readonly writes: boolean;
}

/** Receives the end of a call, exactly once. May be called on the socket's stack. */
export interface Caller<T = Reply> {
  resolve(answer: T): void;
  reject(error: ZooKeeperError): void;
  /** Called if there is no such node. A caller without it gets the failure NO_NODE. */
  absent?(): void;
}

export interface Calls {
  deadline(ms: number | undefined): Deadline;
  ask(request: Request, deadline: Deadline): Promise<Reply>;
  /** The same without a promise, which costs less when thousands of watches read at the same instant. */
  askFor(caller: Caller, request: Request, deadline: Deadline): void;
  waiting(): number;
  /** For a closed session: after the last answer, nothing here keeps the process alive. */
  close(): void;
}

const MAX_WAITING = 10_000;

/** The state that the calls of one session share. */
interface Desk {
  readonly lifeline: SessionLoop;
  /** Calls back once, at the next change of state. The returned function cancels that. */
  readonly onceChanged: (changed: () => void) => () => void;
  readonly deadlines: Deadlines;
  waiting: number;
}

/**
 * One request, one answer. Without a connected server, a request waits here and not in the client library, so that its
 * deadline ends it. After a lost connection, reads are sent again until the deadline. A write whose answer is lost
 * fails with CONNECTION_LOSS or DEADLINE and outcome `unknown`; one that was never sent, with outcome `none`.
 */
export function createCalls(options: {
  lifeline: SessionLoop;
  clock: Clock;
  defaultMs: () => number;
  onceChanged: Desk['onceChanged'];
}): Calls {
  const { lifeline, clock, onceChanged } = options;
  const desk: Desk = { lifeline, onceChanged, deadlines: watchDeadlines(clock), waiting: 0 };

  function askFor(caller: Caller, request: Request, deadline: Deadline): void {
    const call = new Call(desk, caller, request, deadline);
    desk.deadlines.watch(call);
    call.attempt();
  }

  return {
    deadline: (ms) => clock.monotonic() + (ms ?? options.defaultMs()),
    ask: (request, deadline) => new Promise<Reply>((resolve, reject) => askFor({ resolve, reject }, request, deadline)),
    askFor,
    waiting: () => desk.waiting,
    close: desk.deadlines.close,
  };
}

class Call implements Timed {
  readonly deadline: Deadline;
  before: Timed | undefined = undefined;
  after: Timed | undefined = undefined;
  readonly #desk: Desk;
  readonly #caller: Caller;
  readonly #request: Request;
  readonly #take = (answer: Answer) => this.#heard(answer);
  #over = false;
  #sent = false;
  #stopWaiting: (() => void) | undefined = undefined;

  constructor(desk: Desk, caller: Caller, request: Request, deadline: Deadline) {
    this.deadline = deadline;
    this.#desk = desk;
    this.#caller = caller;
    this.#request = request;
  }

  attempt(): void {
    if (this.#over) return;
    const { lifeline, waiting } = this.#desk;
    const link = lifeline.now()?.link;
    this.#sent = link !== undefined;
    if (link) link.send(this.#request.type, this.#request.payload, this.#take);
    else if (lifeline.state === 'closed') this.#fail(this.#closed('none'));
    else if (waiting >= MAX_WAITING) this.#fail(failureOfCode('QUEUE_FULL', { ...this.#request, outcome: 'none' }));
    else this.#wait();
  }

  late(): void {
    const words = this.#sent
      ? 'no answer in time'
      : `no connection within the deadline (${this.#desk.lifeline.trouble ?? 'no server has answered yet'})`;
    const outcome = this.#sent && this.#request.writes ? 'unknown' : 'none';
    this.#fail(failureOfCode('DEADLINE', { ...this.#request, outcome, words }));
  }

  /** Runs on the socket's stack. */
  #heard(answer: Answer): void {
    const { lifeline } = this.#desk;
    if (answer.is !== 'lost') lifeline.saw(answer.zxid);
    if (answer.is === 'reply') {
      if (this.#finish()) this.#caller.resolve(answer);
    } else if (answer.is === 'refusal') this.#refused(answer.resultCode);
    else if (this.#over) return;
    else if (lifeline.state === 'closed') this.#fail(this.#closed(this.#request.writes ? 'unknown' : 'none'));
    else if (!this.#request.writes)
      void Promise.resolve().then(() => this.attempt()); // After the loop has seen the end.
    else {
      const { words } = answer.end;
      this.#fail(failureOfCode('CONNECTION_LOSS', { ...this.#request, outcome: 'unknown', words }));
    }
  }

  #refused(resultCode: number): void {
    const caller = this.#caller;
    if (resultCode !== NO_NODE || !caller.absent) this.#fail(errorFor(resultCode, this.#request));
    else if (this.#finish()) caller.absent();
  }

  #closed(outcome: WriteOutcome): ZooKeeperError {
    return this.#desk.lifeline.failure ?? failureOfCode('CLOSED', { ...this.#request, outcome });
  }

  #wait(): void {
    this.#desk.waiting++;
    this.#stopWaiting = this.#desk.onceChanged(() => {
      this.#noLongerWait();
      this.attempt();
    });
  }

  #noLongerWait(): void {
    if (!this.#stopWaiting) return;
    this.#desk.waiting--;
    this.#stopWaiting();
    this.#stopWaiting = undefined;
  }

  #fail(error: ZooKeeperError): void {
    if (this.#finish()) this.#caller.reject(error);
  }

  /** False if it has already ended. */
  #finish(): boolean {
    if (this.#over) return false;
    this.#over = true;
    this.#desk.deadlines.over(this);
    this.#noLongerWait();
    return true;
  }
}
