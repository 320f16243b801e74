import type { ReplyPayload } from 'node-zookeeper-client/lib/jute/index.js';
import { fromRecords } from './acl.ts';
import type { Calls, Deadline, Request } from './calls.ts';
import { isCode } from './errors.ts';
import { problemOfPath } from './paths.ts';
import { type Requests, statOf } from './requests.ts';
import { failure } from './result-codes.ts';
import type { NodeData, NodeStat, Session } from './session.ts';

/** The session's reads, each also in a form that shares the deadline of a larger call and may leave a watch. */
export interface Reads extends Pick<Session, 'get' | 'exists' | 'children' | 'getAcl'> {
  getBy(path: string, deadline: Deadline, watch?: boolean): Promise<NodeData | null>;
  existsBy(path: string, deadline: Deadline, watch?: boolean): Promise<NodeStat | null>;
  childrenBy(path: string, deadline: Deadline, watch?: boolean): Promise<string[] | null>;
}

export function createReads(requests: Requests, calls: Calls): Reads {
  /** A missing node is an answer and not a failure. */
  function ask<T>(request: Request, deadline: Deadline, read: (payload: ReplyPayload) => T): Promise<T | null> {
    const problem = problemOfPath(request.path);
    if (problem) {
      return Promise.reject(failure('BAD_PATH', { ...request, outcome: 'none', words: `the path ${problem}` }));
    }
    return calls.ask(request, deadline).then(
      (reply) => read(reply.payload),
      (error: unknown) => {
        if (isCode(error, 'NO_NODE')) return null;
        throw error;
      },
    );
  }

  const getBy: Reads['getBy'] = (path, deadline, watch = false) =>
    ask(requests.get(path, watch), deadline, ({ data, stat }) => ({
      data: data ?? Buffer.alloc(0),
      stat: statOf(stat),
    }));

  const existsBy: Reads['existsBy'] = (path, deadline, watch = false) =>
    ask(requests.exists(path, watch), deadline, ({ stat }) => statOf(stat));

  const childrenBy: Reads['childrenBy'] = (path, deadline, watch = false) =>
    ask(requests.children(path, watch), deadline, ({ children }) => children ?? []);

  return {
    getBy,
    existsBy,
    childrenBy,
    get: (path, call) => getBy(path, calls.deadline(call?.deadlineMs)),
    exists: (path, call) => existsBy(path, calls.deadline(call?.deadlineMs)),
    children: (path, call) => childrenBy(path, calls.deadline(call?.deadlineMs)),
    getAcl: (path, call) =>
      ask(requests.getAcl(path), calls.deadline(call?.deadlineMs), ({ acl, stat }) => ({
        acl: fromRecords(acl ?? []),
        version: stat?.aversion ?? 0,
      })),
  };
}
