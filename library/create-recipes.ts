import type { Clock, Random } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import { newNonce } from '../runtime/nonce.ts';
import { childPath, parentOf } from '../zookeeper/paths.ts';
import { type BarrierOptions, holdBarrier, releaseBarrier, waitAtBarrier } from '../zookeeper/recipes/barrier.ts';
import { standForElection } from '../zookeeper/recipes/election.ts';
import { acquireLock } from '../zookeeper/recipes/lock.ts';
import { joinMembership } from '../zookeeper/recipes/membership.ts';
import { acquireLease } from '../zookeeper/recipes/semaphore.ts';
import { acquireSlot } from '../zookeeper/recipes/slots.ts';
import { leadTasks } from '../zookeeper/recipes/task-leader.ts';
import { workOnTasks } from '../zookeeper/recipes/task-worker.ts';
import { ensureTasks, forgetTask, submitTask, taskProgress, taskResult } from '../zookeeper/recipes/tasks.ts';
import { ensureWorkQueue, putItem, takeItem } from '../zookeeper/recipes/work-queue.ts';
import type { Session } from '../zookeeper/session.ts';
import { toBuffer } from './content.ts';
import type { Barrier, Queue, Recipes, TaskList, Waiting } from './recipes.ts';
import { termsOf } from './terms.ts';

export interface RecipeParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** @param own returns the path if this program may write there. */
export function createRecipes(session: Session, own: (path: string) => string, parts: RecipeParts): Recipes {
  /** Creates the path, with the znodes above it, and returns it. */
  async function made(path: string): Promise<string> {
    await session.ensure(own(path));
    return path;
  }
  const content = (waiting: Waiting) => (waiting.content === undefined ? {} : { data: toBuffer(waiting.content) });

  return {
    async lock(path, options = {}) {
      const { signal = never() } = options;
      return await acquireLock(session, { path: await made(path), ...content(options), signal });
    },
    async elect(path, options = {}) {
      const most = options.most === undefined ? {} : { most: options.most };
      const place = { path: await made(path), ...content(options), ...most };
      const election = termsOf(standForElection(session, { ...place, ...parts }));
      options.signal?.addEventListener('abort', () => void election.leave(), { once: true });
      if (options.signal?.aborted) await election.leave();
      return election;
    },
    async semaphore(path, leases, options = {}) {
      const { signal = never() } = options;
      return await acquireLease(session, { path: await made(path), leases, ...content(options), signal });
    },
    async slots(path, slots, options = {}) {
      const { signal = never(), onStandby } = options;
      const standby = onStandby ? { onStandby } : {};
      return await acquireSlot(session, { path: await made(path), slots, ...content(options), ...standby, signal });
    },
    barrier: (path) => barrierAt(session, { path: own(path) }),
    async queue(path, options = {}) {
      await ensureWorkQueue(session, { path: own(path) });
      return queueAt(session, { path, ...options });
    },
    async tasks(path, options = {}) {
      await ensureTasks(session, { path: own(path) });
      return taskListAt(session, { path, ...options, ...parts });
    },
    async membership(path, id, details = {}) {
      const [instanceId, machineId] = [newNonce(parts.random), newNonce(parts.random)];
      const data = () => Buffer.from(JSON.stringify({ ...details, instanceId, machineId }));
      const node = childPath(await made(path), id);
      return joinMembership(session, { path: own(node), instanceId, machineId, data, ...parts });
    },
  };
}

function barrierAt(session: Session, options: BarrierOptions): Barrier {
  return {
    async hold(mode = 'persistent') {
      await session.ensure(parentOf(options.path) ?? '/');
      return await holdBarrier(session, options, mode);
    },
    release: () => releaseBarrier(session, options),
    wait: (signal = never()) => waitAtBarrier(session, options, signal),
  };
}

function queueAt(session: Session, options: Parameters<typeof takeItem>[1]): Queue {
  return {
    put: (content) => putItem(session, options, toBuffer(content)),
    take: (signal = never()) => takeItem(session, options, signal),
    async *items(signal) {
      while (!signal.aborted) {
        const item = await takeItem(session, options, signal).catch((error: unknown) => {
          if (!signal.aborted) throw error;
        });
        if (item) yield item;
      }
    },
  };
}

function taskListAt(session: Session, options: Parameters<typeof leadTasks>[1]): TaskList {
  return {
    submit: (content) => submitTask(session, options, toBuffer(content)),
    lead: () => termsOf(leadTasks(session, options)),
    work: (perform, { signal, capacity = 1 }) =>
      workOnTasks(session, { path: options.path, signal, capacity }, async (task) => toBuffer(await perform(task))),
    result: (id, signal = never()) => taskResult(session, options, id, signal),
    progress: () => taskProgress(session, options),
    forget: (id) => forgetTask(session, options, id),
  };
}

const never = (): AbortSignal => new AbortController().signal;
