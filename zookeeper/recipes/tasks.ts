import { FleetError } from '../../runtime/errors.ts';
import { isCode } from '../errors.ts';
import { childPath, nameOf } from '../paths.ts';
import { type AclEntry, ANY_VERSION, type Session } from '../session.ts';
import { inOrder } from './contention.ts';

/**
 * Tasks that a leader gives to workers. It follows their progress, and gives a task out again if its worker dies,
 * stalls or gives it back; results are kept. Guarantee: each submitted task ends once, as one result or, after
 * `attempts` attempts, as one failure. A result is written in the transaction that ends the claim of its worker, so a
 * replaced worker cannot write one. What breaks it: effects of a worker other than its result that are not repeatable,
 * because a task is repeated after its worker was cut off; and a submit that is repeated after the outcome `unknown`.
 * While there is no leader, nothing is given out, and workers continue with what they have.
 *
 *     tasks/task-<id>-<n>      the task as submitted
 *     workers/worker-<id>-<n>  ephemeral: a worker's capacity, and the tasks that the leader gave it (task-worker.ts)
 *     claims/<task>            who has it, at which attempt, and its progress; its version changes with each report
 *     results/<task>           what the worker returned
 *     failed/<task>            why it was given up
 *     election/                the candidates for leader (task-leader.ts)
 */
export interface TaskOptions {
  readonly path: string;
  readonly acl?: readonly AclEntry[];
}

export interface TaskResult {
  readonly id: string;
  /** False: all attempts failed, and `data` says why. */
  readonly done: boolean;
  readonly data: Buffer;
}

/** The progress of one task. */
export interface TaskProgress {
  readonly id: string;
  /** Null while no worker has it. */
  readonly worker: string | null;
  readonly attempt: number;
  /** What its worker last reported; empty before the first report. */
  readonly progress: string;
}

export const TASK_FOLDERS = ['tasks', 'workers', 'claims', 'results', 'failed', 'election'] as const;
type Folder = (typeof TASK_FOLDERS)[number];

export const TASK = 'task-';
const MOST = 1_000;

export const taskPath = (path: string, folder: Folder, name?: string): string =>
  name === undefined ? childPath(path, folder) : childPath(childPath(path, folder), name);

/** Creates the znodes of a list of tasks. Succeeds if they already exist. */
export async function ensureTasks(session: Session, { path, acl }: TaskOptions): Promise<void> {
  for (const folder of TASK_FOLDERS) await session.ensure(taskPath(path, folder), acl ? { acl } : {});
}

/** Resolves to the id of the task. @throws FleetError FULL */
export async function submitTask(session: Session, { path, acl }: TaskOptions, data: Buffer): Promise<string> {
  const tasks = taskPath(path, 'tasks');
  const waiting = (await session.exists(tasks))?.numChildren ?? 0;
  if (waiting >= MOST) throw FleetError.of('FULL', `${path} has ${waiting} tasks that are not done, ${MOST} at most`);
  const node = await session.create(childPath(tasks, TASK), data, 'persistent-sequential', acl ? { acl } : {});
  return nameOf(node);
}

/** Waits until a task has ended. Rejects when `signal` fires, with its reason. */
export async function taskResult(
  session: Session,
  { path }: TaskOptions,
  id: string,
  signal: AbortSignal,
): Promise<TaskResult> {
  const over = new AbortController();
  const either = AbortSignal.any([signal, over.signal]);
  async function ended(folder: 'results' | 'failed'): Promise<TaskResult> {
    for await (const seen of session.watch(taskPath(path, folder, id), { signal: either })) {
      if (seen.exists) return { id, done: folder === 'results', data: seen.data };
    }
    signal.throwIfAborted();
    return new Promise(() => {}); // The other watch saw the end.
  }
  try {
    return await Promise.race([ended('results'), ended('failed')]);
  } finally {
    over.abort();
  }
}

/** All tasks that have not ended, in the order of submission. */
export async function taskProgress(session: Session, { path }: TaskOptions): Promise<TaskProgress[]> {
  const names = inOrder((await session.children(taskPath(path, 'tasks'))) ?? [], TASK);
  const claims = await Promise.all(names.map((name) => session.get(taskPath(path, 'claims', name))));
  return names.map((id, at) => ({ id, ...parseClaim(claims[at]?.data) }));
}

/** Removes the result of an ended task; false if there was none. */
export async function forgetTask(session: Session, { path }: TaskOptions, id: string): Promise<boolean> {
  let found = false;
  for (const folder of ['results', 'failed'] as const) {
    try {
      await session.remove(taskPath(path, folder, id), ANY_VERSION);
      found = true;
    } catch (error) {
      if (!isCode(error, 'NO_NODE')) throw error;
    }
  }
  return found;
}

export interface Claim {
  readonly worker: string | null;
  readonly attempt: number;
  readonly progress: string;
}

const UNCLAIMED: Claim = { worker: null, attempt: 0, progress: '' };

/** Never fails: content that is no claim counts as unclaimed. */
export function parseClaim(data: Buffer | undefined): Claim {
  const { worker, attempt, progress } = jsonObject(data);
  return {
    worker: typeof worker === 'string' ? worker : null,
    attempt: typeof attempt === 'number' && Number.isSafeInteger(attempt) ? attempt : UNCLAIMED.attempt,
    progress: typeof progress === 'string' ? progress : '',
  };
}

/** How many tasks a worker can take, and which ones it was given. */
export interface WorkerNode {
  readonly capacity: number;
  readonly tasks: readonly string[];
}

export function parseWorker(data: Buffer | undefined): WorkerNode {
  const { capacity, tasks } = jsonObject(data);
  const names = Array.isArray(tasks) ? tasks.filter((name): name is string => typeof name === 'string') : [];
  return { capacity: Number.isSafeInteger(capacity) ? (capacity as number) : 0, tasks: names };
}

export const json = (value: Claim | WorkerNode | { readonly attempts: number; readonly reason: string }): Buffer =>
  Buffer.from(JSON.stringify(value));

function jsonObject(data: Buffer | undefined): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(String(data));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
