import { type Bell, createBell } from '../../runtime/bell.ts';
import { isCode } from '../errors.ts';
import { ANY_VERSION, type NodeData, type Operation, type Session } from '../session.ts';
import type { Candidacy, Term } from './candidacy.ts';
import { inOrder } from './contention.ts';
import { type ElectionOptions, standForElection } from './election.ts';
import { readEnsembleTime } from './ensemble-time.ts';
import { followChildren, followNode } from './follow-node.ts';
import { readChildren } from './read-children.ts';
import { planTasks, type TaskMove, type TaskPicture } from './task-plan.ts';
import { json, parseClaim, parseWorker, TASK, type TaskOptions, taskPath } from './tasks.ts';

/**
 * The leader of a list of tasks (tasks.ts), elected among its candidates. Guarantee: each write that gives out or fails
 * a task starts with the guard of the leader's term, so none of an earlier leader is accepted once its successor leads.
 * It keeps nothing in memory that its successor needs, except how long each worker has been silent, which a new leader
 * counts from its own start.
 * What it does not do: give a task of a silent worker to the same worker again, if no other has room.
 */
export interface TaskLeaderOptions extends TaskOptions, Omit<ElectionOptions, 'path' | 'acl' | 'data'> {
  /** The maximum number of attempts for a task. Default 5. */
  readonly attempts?: number;
  /**
   * A worker that reports nothing about a task for this time loses it, ms. Default: only when it dies or gives it back.
   */
  readonly stalledAfterMs?: number;
  /**
   * How many results of ended tasks to keep, and for how long. Default 1,000 results and 1,000 failures, for 7 days.
   */
  readonly keep?: { readonly most?: number; readonly forMs?: number };
}

const KEEP = { most: 1_000, forMs: 7 * 86_400_000 };
/** The pause between readings: workers that finish at the same moment cost a single one. */
const BETWEEN_MS = 20;
const LOOK_AGAIN_MS = 5_000;

export function leadTasks(session: Session, options: TaskLeaderOptions): Candidacy {
  const candidacy = standForElection(session, { ...options, path: taskPath(options.path, 'election') });
  candidacy.onChange((term) => {
    if (term) void lead(session, options, term);
  });
  return candidacy;
}

async function lead(session: Session, options: TaskLeaderOptions, term: Term): Promise<void> {
  const { clock, log, path } = options;
  const bell = createBell(clock);
  const rung = ringFor(session, options, bell, term.signal);
  const silence = createSilence(options);
  let tidyAt = clock.monotonic();
  while (!term.signal.aborted) {
    try {
      const seen = await readPicture(session, path, silence);
      for (const move of planTasks(seen.picture, options.attempts ?? 5))
        await perform(session, options, term, seen, move);
      if (clock.monotonic() >= tidyAt) await removeOld(session, options);
      if (clock.monotonic() >= tidyAt) tidyAt = clock.monotonic() + 12 * LOOK_AGAIN_MS;
    } catch (error) {
      // The next pass reads the current state. If the term is over, the loop ends.
      if (!term.signal.aborted) log.warn({ err: error, path }, 'cannot allocate tasks, retrying');
      await clock.sleep(LOOK_AGAIN_MS / 5, term.signal).catch(() => {});
    }
    await bell.wait(Math.min(LOOK_AGAIN_MS, (options.stalledAfterMs ?? LOOK_AGAIN_MS) / 4), term.signal);
    await clock.sleep(BETWEEN_MS, term.signal).catch(() => {});
  }
  await rung;
}

/**
 * Rings for changes of the list of tasks, the list of workers, and the parent of the claims, which a worker writes when
 * it gives a task back.
 */
async function ringFor(session: Session, options: TaskLeaderOptions, bell: Bell, signal: AbortSignal): Promise<void> {
  const { clock, random, log } = options;
  const at = (folder: 'tasks' | 'workers' | 'claims') => ({
    session,
    path: taskPath(options.path, folder),
    failing: 'cannot watch the tasks, retrying',
    clock,
    random,
    log,
  });
  const streams = [
    followChildren(at('tasks'), bell.ring, signal),
    followChildren(at('workers'), bell.ring, signal),
    followNode(at('claims'), bell.ring, signal),
  ];
  await Promise.all(
    streams.map(async (stream) => {
      for await (const _ of stream);
    }),
  );
}

interface Seen {
  readonly picture: TaskPicture;
  readonly workers: ReadonlyMap<string, NodeData>;
  readonly claims: ReadonlyMap<string, NodeData>;
}

async function readPicture(session: Session, path: string, silence: Silence): Promise<Seen> {
  const names = (start: string) => ({ names: (name: string) => name.startsWith(start) });
  const tasks = inOrder((await session.children(taskPath(path, 'tasks'))) ?? [], TASK);
  const { nodes: workers } = await readChildren(session, taskPath(path, 'workers'), names('worker-'));
  const { nodes: claims } = await readChildren(session, taskPath(path, 'claims'), names(TASK));
  const picture = {
    tasks,
    workers: parsed(workers, parseWorker),
    claims: parsed(claims, parseClaim),
    stalled: silence.longerThanAllowed(claims),
  };
  return { picture, workers, claims };
}

const parsed = <T>(nodes: ReadonlyMap<string, NodeData>, parse: (data: Buffer) => T): Map<string, T> =>
  new Map([...nodes].map(([name, { data }]) => [name, parse(data)]));

interface Silence {
  longerThanAllowed(claims: ReadonlyMap<string, NodeData>): ReadonlySet<string>;
}

/** Since when each claim is unchanged, by our own monotonic clock. */
function createSilence({ clock, stalledAfterMs = Number.POSITIVE_INFINITY }: TaskLeaderOptions): Silence {
  let since = new Map<string, { readonly mzxid: bigint; readonly at: number }>();
  return {
    longerThanAllowed(claims) {
      const now = clock.monotonic();
      const next: typeof since = new Map();
      for (const [task, { stat }] of claims) {
        const before = since.get(task);
        next.set(task, before?.mzxid === stat.mzxid ? before : { mzxid: stat.mzxid, at: now });
      }
      since = next;
      return new Set([...since].filter(([, { at }]) => now - at >= stalledAfterMs).map(([task]) => task));
    },
  };
}

/** A conflict means that a worker was faster; the next reading shows it. */
async function perform(
  session: Session,
  options: TaskLeaderOptions,
  term: Term,
  seen: Seen,
  move: TaskMove,
): Promise<void> {
  const operations = move.move === 'fail' ? failing(options, seen, move) : giving(options, seen, move);
  try {
    await session.transact([term.guard, ...operations]);
  } catch (error) {
    if (!isCode(error, 'NO_NODE', 'BAD_VERSION', 'NODE_EXISTS') || error.failedAt === 0) throw error;
  }
}

function giving(
  { path, acl }: TaskLeaderOptions,
  { picture, workers, claims }: Seen,
  { worker, tasks, given }: TaskMove & { move: 'give' },
): Operation[] {
  const capacity = picture.workers.get(worker)?.capacity ?? 0;
  const version = workers.get(worker)?.stat.version ?? 0;
  const claimed = [...given].flatMap(([task, attempt]): Operation[] => {
    const data = json({ worker, attempt, progress: '' });
    const claim = taskPath(path, 'claims', task);
    const there = claims.get(task);
    // A task that has ended since the reading must not get another claim.
    const exists: Operation = { op: 'check', path: taskPath(path, 'tasks', task), version: ANY_VERSION };
    if (there) return [exists, { op: 'set', path: claim, data, version: there.stat.version }];
    return [exists, { op: 'create', path: claim, data, mode: 'persistent', ...(acl ? { acl } : {}) }];
  });
  const list: Operation = {
    op: 'set',
    path: taskPath(path, 'workers', worker),
    data: json({ capacity, tasks }),
    version,
  };
  return [list, ...claimed];
}

function failing(
  { path, acl }: TaskLeaderOptions,
  { claims }: Seen,
  { task, attempts, reason }: TaskMove & { move: 'fail' },
): Operation[] {
  const claim = claims.get(task);
  const data = json({ attempts, reason });
  return [
    { op: 'remove', path: taskPath(path, 'claims', task), version: claim?.stat.version ?? 0 },
    { op: 'remove', path: taskPath(path, 'tasks', task), version: ANY_VERSION },
    { op: 'create', path: taskPath(path, 'failed', task), data, mode: 'persistent', ...(acl ? { acl } : {}) },
  ];
}

/** Removes results beyond the maximum number, and those that are too old by the ensemble's time. */
async function removeOld(session: Session, { path, keep = {}, clock }: TaskLeaderOptions): Promise<void> {
  const { most, forMs } = { ...KEEP, ...keep };
  const time = await readEnsembleTime(session, path, clock);
  for (const folder of ['results', 'failed'] as const) {
    const names = inOrder((await session.children(taskPath(path, folder))) ?? [], TASK);
    for (const [at, name] of names.entries()) {
      const node = taskPath(path, folder, name);
      const madeAt = (await session.exists(node))?.ctime ?? 0;
      if (names.length - at <= most && time.now() - madeAt < forMs) break;
      await session.remove(node, ANY_VERSION).catch((error: unknown) => {
        if (!isCode(error, 'NO_NODE')) throw error;
      });
    }
  }
}
