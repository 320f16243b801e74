import type { Claim, WorkerNode } from './tasks.ts';

/** One reading by the leader of a list of tasks. */
export interface TaskPicture {
  /** The tasks that have not ended, oldest first. */
  readonly tasks: readonly string[];
  readonly workers: ReadonlyMap<string, WorkerNode>;
  readonly claims: ReadonlyMap<string, Claim>;
  /** Tasks whose workers have been silent for too long. */
  readonly stalled: ReadonlySet<string>;
}

/** One transaction of the leader. */
export type TaskMove =
  /** The worker now has exactly these tasks. Those in `given` are new to it, with the number of the attempt. */
  | {
      readonly move: 'give';
      readonly worker: string;
      readonly tasks: readonly string[];
      readonly given: ReadonlyMap<string, number>;
    }
  /** All attempts are used up. */
  | { readonly move: 'fail'; readonly task: string; readonly attempts: number; readonly reason: string };

/**
 * What the leader does next, from one reading alone. A task is free if no present worker has it. A task of a stalled
 * worker is taken away once another worker has room for it, or if its attempts are used up. The oldest task goes first,
 * to the worker with the most room. Tasks that a worker no longer has are removed from its list.
 */
export function planTasks({ tasks, workers, claims, stalled }: TaskPicture, attempts: number): TaskMove[] {
  const has = new Map([...workers.keys()].map((worker) => [worker, [] as string[]]));
  const free: string[] = [];
  for (const task of tasks) {
    const mine = has.get(claims.get(task)?.worker ?? '');
    if (mine && !stalled.has(task)) mine.push(task);
    else free.push(task);
  }

  const given = new Map<string, Map<string, number>>();
  const moves: TaskMove[] = [];
  for (const task of free) {
    const before = claims.get(task);
    const attempt = (before?.attempt ?? 0) + 1;
    if (attempt > attempts) {
      moves.push({ move: 'fail', task, attempts, reason: before?.progress ?? '' });
      continue;
    }
    const stalledAt = before?.worker ?? null;
    const worker = roomiest(workers, has, stalledAt);
    if (worker === null) {
      has.get(stalledAt ?? '')?.push(task);
      continue;
    }
    has.get(worker)?.push(task);
    given.set(worker, (given.get(worker) ?? new Map()).set(task, attempt));
  }

  for (const [worker, now] of has) {
    const news = given.get(worker) ?? new Map();
    if (news.size > 0 || !sameNames(now, workers.get(worker)?.tasks ?? [])) {
      moves.push({ move: 'give', worker, tasks: now, given: news });
    }
  }
  return moves;
}

function roomiest(
  workers: ReadonlyMap<string, WorkerNode>,
  has: ReadonlyMap<string, readonly string[]>,
  except: string | null,
): string | null {
  const room = (worker: string) => (workers.get(worker)?.capacity ?? 0) - (has.get(worker)?.length ?? 0);
  const able = [...workers.keys()].filter((worker) => worker !== except && room(worker) > 0);
  return able.toSorted((a, b) => room(b) - room(a))[0] ?? null;
}

const sameNames = (one: readonly string[], other: readonly string[]): boolean =>
  one.length === other.length && one.every((name) => other.includes(name));
