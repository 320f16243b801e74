import type { Deadline } from '../runtime/deadlines.ts';
import { fromRecords } from './acl.ts';
import type { Caller, Calls, Request } from './calls.ts';
import type { ZooKeeperError } from './errors.ts';
import { problemOfPath } from './paths.ts';
import type { Requests } from './requests.ts';
import { failureOfCode } from './result-codes.ts';
import type { NodeChildren, NodeData, NodeStat, Session } from './session.ts';
import type { Reply, ReplyPayload } from './wire/connection-types.ts';

/** The session's reads. The forms with a deadline are for steps of a larger call, and may leave a watch. */
export interface Reads extends Pick<Session, 'get' | 'exists' | 'children' | 'getAcl'> {
  /** Without a promise, and always with a watch; `caller` may be called on the socket's stack. */
  getFor(caller: Caller<NodeData | null>, path: string, deadline: Deadline): void;
  getBy(path: string, deadline: Deadline, watch?: boolean): Promise<NodeData | null>;
  existsBy(path: string, deadline: Deadline, watch?: boolean): Promise<NodeStat | null>;
  childrenBy(path: string, deadline: Deadline): Promise<string[] | null>;
  /** Names and stat, always with a watch. */
  listBy(path: string, deadline: Deadline): Promise<NodeChildren | null>;
}

export function createReads(requests: Requests, calls: Calls): Reads {
  function askFor<T>(caller: Caller<T | null>, request: Request, deadline: Deadline, read: Read<T>): void {
    const problem = problemOfPath(request.path);
    if (problem)
      caller.reject(failureOfCode('BAD_PATH', { ...request, outcome: 'none', words: `the path ${problem}` }));
    else calls.askFor(new Reader(caller, read), request, deadline);
  }

  function ask<T>(request: Request, deadline: Deadline, read: Read<T>): Promise<T | null> {
    return new Promise((resolve, reject) => askFor({ resolve, reject }, request, deadline, read));
  }

  const getBy: Reads['getBy'] = (path, deadline, watch = false) => ask(requests.get(path, watch), deadline, nodeOf);
  const existsBy: Reads['existsBy'] = (path, deadline, watch = false) =>
    ask(requests.exists(path, watch), deadline, statOf);
  const childrenBy: Reads['childrenBy'] = (path, deadline) => ask(requests.children(path, false), deadline, namesOf);

  return {
    getFor: (caller, path, deadline) => askFor(caller, requests.get(path, true), deadline, nodeOf),
    getBy,
    existsBy,
    childrenBy,
    listBy: (path, deadline) => ask(requests.children(path, true), deadline, listOf),
    get: (path, call) => getBy(path, calls.deadline(call?.deadlineMs)),
    exists: (path, call) => existsBy(path, calls.deadline(call?.deadlineMs)),
    children: (path, call) => childrenBy(path, calls.deadline(call?.deadlineMs)),
    getAcl: (path, call) => ask(requests.getAcl(path), calls.deadline(call?.deadlineMs), accessOf),
  };
}

type Read<T> = (payload: ReplyPayload) => T;

const nodeOf = ({ data, stat }: ReplyPayload) => ({ data: data ?? Buffer.alloc(0), stat: stat as NodeStat });
const statOf = ({ stat }: ReplyPayload) => stat as NodeStat;
const namesOf = ({ children }: ReplyPayload) => children ?? [];
const listOf = (payload: ReplyPayload) => ({ names: namesOf(payload), stat: statOf(payload) });
const accessOf = ({ acl, stat }: ReplyPayload) => ({ acl: fromRecords(acl ?? []), version: stat?.aversion ?? 0 });

/** A missing node is an answer, not a failure: no error is made for it. */
class Reader<T> implements Caller {
  readonly #caller: Caller<T | null>;
  readonly #read: Read<T>;

  constructor(caller: Caller<T | null>, read: Read<T>) {
    this.#caller = caller;
    this.#read = read;
  }

  resolve(reply: Reply): void {
    this.#caller.resolve(this.#read(reply.payload));
  }

  reject(error: ZooKeeperError): void {
    this.#caller.reject(error);
  }

  absent(): void {
    this.#caller.resolve(null);
  }
}
