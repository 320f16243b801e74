import { classify, FleetError } from '../../runtime/errors.ts';
import { orDisconnected } from '../abortable.ts';
import { isCode } from '../errors.ts';
import { nameOf } from '../paths.ts';
import { ANY_VERSION, type Session } from '../session.ts';
import { enqueue, leaveQueue, type QueueNode, UNTIL_ANSWERED } from './queue-node.ts';
import { type Claim, json, parseClaim, parseWorker, type TaskOptions, taskPath } from './tasks.ts';

/**
 * A worker of a list of tasks (tasks.ts). It runs `perform` for each task that the leader gives it, at most `capacity`
 * at a time, and writes its return value as the result. If `perform` throws, the task is given back. Guarantee: a
 * result is written only while this worker has the claim. It continues while the session is suspended, because a result
 * that comes too late is refused. What it does not do: end a `perform` that ignores its signal. Such a task may be
 * given to another worker, and the late result is dropped.
 */
export interface TaskWorkerOptions extends TaskOptions {
  /** Default 1. */
  readonly capacity?: number;
  /** Ends the worker. Its tasks are given back, and these attempts do not count. */
  readonly signal: AbortSignal;
}

export interface Task {
  readonly id: string;
  readonly data: Buffer;
  /** 1 at the first attempt. */
  readonly attempt: number;
  /** Fires when another worker gets the task, and when this worker ends. Work on the task must stop then. */
  readonly signal: AbortSignal;
  /** Reports progress, cut to 1,000 characters. @throws FleetError GIVEN_AWAY if another worker has the task. */
  progress(words: string): Promise<void>;
}

export type PerformTask = (task: Task) => Promise<Buffer>;

/** Runs until the signal fires or the session is closed. Creates its worker node again after a lost session. */
export async function workOnTasks(session: Session, options: TaskWorkerOptions, perform: PerformTask): Promise<void> {
  const { signal, path, capacity = 1, acl } = options;
  const where = { path: taskPath(path, 'workers'), data: json({ capacity, tasks: [] }), ...(acl ? { acl } : {}) };
  while (!signal.aborted) {
    try {
      await session.connected(signal);
    } catch (error) {
      if (signal.aborted) return;
      throw error;
    }
    const place = await enqueue(session, 'worker-', where);
    try {
      await workAs(session, options, place, perform);
    } finally {
      await leaveQueue(session, place);
    }
  }
}

/** Works until the signal fires or this worker's node is gone, with its session or otherwise. */
async function workAs(
  session: Session,
  options: TaskWorkerOptions,
  place: QueueNode,
  perform: PerformTask,
): Promise<void> {
  const running = new Map<string, { readonly stop: AbortController; readonly ended: Promise<void> }>();
  for await (const seen of session.watch(place.node, { signal: options.signal })) {
    if (!seen.exists || seen.stat.czxid !== place.fence) break;
    const { tasks } = parseWorker(seen.data);
    for (const [task, { stop }] of running) if (!tasks.includes(task)) stop.abort(givenAway(task));
    for (const task of tasks.filter((each) => !running.has(each))) {
      const stop = new AbortController();
      const claim = createClaim(session, options, { task, worker: nameOf(place.node) });
      const signal = AbortSignal.any([options.signal, stop.signal]);
      const ended = runTask(session, options, claim, { task, perform, signal }).finally(() => running.delete(task));
      running.set(task, { stop, ended });
    }
  }
  for (const [task, { stop }] of running) if (!options.signal.aborted) stop.abort(givenAway(task));
  const unstarted = options.signal.aborted ? retire(session, options, place, new Set(running.keys())) : null;
  if (unstarted)
    await orDisconnected(
      session,
      unstarted.catch(() => {}),
    );
  await Promise.all([...running.values()].map(({ ended }) => ended));
}

/** Accepts no more tasks, and gives back those that were not started; these attempts do not count either. */
async function retire(
  session: Session,
  options: TaskWorkerOptions,
  place: QueueNode,
  running: ReadonlySet<string>,
): Promise<void> {
  for (;;) {
    const found = await session.get(place.node);
    if (!found) return;
    const { tasks } = parseWorker(found.data);
    try {
      await session.set(place.node, json({ capacity: 0, tasks }), found.stat.version);
    } catch (error) {
      if (isCode(error, 'BAD_VERSION')) continue;
      throw error;
    }
    for (const task of tasks.filter((each) => !running.has(each))) {
      const claim = createClaim(session, options, { task, worker: nameOf(place.node) });
      await giveBack(options, claim, options.signal.reason).catch(() => {});
    }
    return;
  }
}

interface Running {
  readonly task: string;
  readonly perform: PerformTask;
  readonly signal: AbortSignal;
}

async function runTask(
  session: Session,
  options: TaskWorkerOptions,
  claim: OwnClaim,
  { task, perform, signal }: Running,
): Promise<void> {
  const { path, acl } = options;
  const node = taskPath(path, 'tasks', task);
  try {
    const attempt = await claim.attempt();
    const data = (await session.get(node, UNTIL_ANSWERED))?.data;
    if (data === undefined) return;
    signal.throwIfAborted();
    const result = await perform({ id: task, data, attempt, signal, progress: claim.progress });
    const kept = { data: result, mode: 'persistent', ...(acl ? { acl } : {}) } as const;
    await claim.end((version) => [
      { op: 'remove', path: claim.path, version },
      { op: 'remove', path: node, version: ANY_VERSION },
      { op: 'create', path: taskPath(path, 'results', task), ...kept },
    ]);
  } catch (error) {
    if (isGivenAway(error) || isCode(error, 'CLOSED')) return;
    // Without a server, a shutdown does not wait for it: the leader gives the task out again when this worker is gone.
    await orDisconnected(
      session,
      giveBack(options, claim, error).catch(() => {}),
    );
  }
}

/**
 * Writes the parent of the claims to notify the leader. An attempt that the end of the worker cut short does not count.
 */
async function giveBack({ path, signal }: TaskWorkerOptions, claim: OwnClaim, error: unknown): Promise<void> {
  const attempt = (await claim.attempt()) - (signal.aborted ? 1 : 0);
  const data = json({ worker: null, attempt, progress: words(classify(error).message) });
  await claim.end((version) => [
    { op: 'set', path: claim.path, data, version },
    { op: 'set', path: taskPath(path, 'claims'), data: Buffer.alloc(0), version: ANY_VERSION },
  ]);
}

interface OwnClaim {
  readonly path: string;
  attempt(): Promise<number>;
  progress(words: string): Promise<void>;
  /** Ends the claim with one transaction; `operations` gets the claim's version. @throws FleetError GIVEN_AWAY */
  end(operations: (version: number) => Parameters<Session['transact']>[0]): Promise<void>;
}

/** The claim of one worker on one task. Its writes run one after another, because each changes the version. */
function createClaim(
  session: Session,
  { path }: TaskOptions,
  { task, worker }: { readonly task: string; readonly worker: string },
): OwnClaim {
  const node = taskPath(path, 'claims', task);
  let last: Promise<unknown> = Promise.resolve();

  /** @throws FleetError GIVEN_AWAY */
  async function read(): Promise<Claim & { readonly version: number }> {
    const found = await session.get(node, UNTIL_ANSWERED);
    const claim = parseClaim(found?.data);
    if (!found || claim.worker !== worker) throw givenAway(task);
    return { ...claim, version: found.stat.version };
  }

  function next<T>(write: (claim: Claim & { readonly version: number }) => Promise<T>): Promise<T> {
    const done = last
      .catch(() => {})
      .then(async () => {
        try {
          return await write(await read());
        } catch (error) {
          if (isCode(error, 'BAD_VERSION', 'NO_NODE')) throw givenAway(task, error);
          throw error;
        }
      });
    last = done;
    return done;
  }

  return {
    path: node,
    attempt: async () => (await read()).attempt,
    progress: (said) =>
      next(async ({ attempt, version }) => {
        await session.set(node, json({ worker, attempt, progress: words(said) }), version);
      }),
    end: (operations) =>
      next(async ({ version }) => {
        await session.transact(operations(version), UNTIL_ANSWERED);
      }),
  };
}

const words = (text: string): string => text.slice(0, 1_000);

const givenAway = (task: string, cause?: unknown): FleetError =>
  FleetError.of('GIVEN_AWAY', `${task} was given to another worker`, undefined, cause);

const isGivenAway = (error: unknown): boolean => error instanceof FleetError && error.code === 'GIVEN_AWAY';
