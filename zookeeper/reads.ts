import { fromRecords } from './acl.ts';
import type { Calls, Deadline } from './calls.ts';
import { isCode } from './errors.ts';
import { problemOfPath } from './paths.ts';
import { type Requests, statOf } from './requests.ts';
import { failure } from './result-codes.ts';
import type { AclEntry, NodeData, NodeStat, Session } from './session.ts';

/** The session's reads, each also in a form that shares the deadline of a larger call and may leave a watch. */
export interface Reads extends Pick<Session, 'get' | 'exists' | 'children' | 'getAcl'> {
  getBy(path: string, deadline: Deadline, watch?: boolean): Promise<NodeData | null>;
  existsBy(path: string, deadline: Deadline, watch?: boolean): Promise<NodeStat | null>;
  childrenBy(path: string, deadline: Deadline, watch?: boolean): Promise<string[] | null>;
}

export function createReads(requests: Requests, calls: Calls): Reads {
  /** A missing node is an answer and not a failure. */
  async function orNull<T>(op: string, path: string, ask: () => Promise<T>): Promise<T | null> {
    const problem = problemOfPath(path);
    if (problem) throw failure('BAD_PATH', { op, path: String(path), outcome: 'none', words: `the path ${problem}` });
    try {
      return await ask();
    } catch (error) {
      if (isCode(error, 'NO_NODE')) return null;
      throw error;
    }
  }

  const getBy: Reads['getBy'] = (path, deadline, watch = false) =>
    orNull('get', path, async () => {
      const { payload } = await calls.ask(requests.get(path, watch), deadline);
      return { data: payload.data ?? Buffer.alloc(0), stat: statOf(payload.stat) };
    });

  const existsBy: Reads['existsBy'] = (path, deadline, watch = false) =>
    orNull('exists', path, async () => {
      const { payload } = await calls.ask(requests.exists(path, watch), deadline);
      return statOf(payload.stat);
    });

  const childrenBy: Reads['childrenBy'] = (path, deadline, watch = false) =>
    orNull('children', path, async () => {
      const { payload } = await calls.ask(requests.children(path, watch), deadline);
      return payload.children ?? [];
    });

  return {
    getBy,
    existsBy,
    childrenBy,
    get: async (path, call) => getBy(path, calls.deadline(call?.deadlineMs)),
    exists: async (path, call) => existsBy(path, calls.deadline(call?.deadlineMs)),
    children: async (path, call) => childrenBy(path, calls.deadline(call?.deadlineMs)),
    getAcl: (path, call) =>
      orNull<{ acl: AclEntry[]; version: number }>('getAcl', path, async () => {
        const { payload } = await calls.ask(requests.getAcl(path), calls.deadline(call?.deadlineMs));
        return { acl: fromRecords(payload.acl ?? []), version: payload.stat?.aversion ?? 0 };
      }),
  };
}
