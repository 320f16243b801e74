import type { Candidacy, Term } from '../zookeeper/recipes/candidacy.ts';
import type { Held } from '../zookeeper/recipes/queue-node.ts';
import type { Slot } from '../zookeeper/recipes/slots.ts';
import type { Task } from '../zookeeper/recipes/task-worker.ts';
import type { TaskProgress, TaskResult } from '../zookeeper/recipes/tasks.ts';
import type { Item } from '../zookeeper/recipes/work-queue.ts';
import type { Content } from './content.ts';

/**
 * The recipes of the library. Each creates the znodes above its own. The header of its file says what it guarantees.
 */
export interface Recipes {
  /** One holder at a time, in the order of the requests. Waits until the lock is held; `signal` gives up. */
  lock(path: string, options?: Waiting): Promise<Held>;
  /** One leader among at most `most` (7) candidates, for as long as the candidacy lasts. */
  elect(path: string, options?: Waiting & { readonly most?: number }): Promise<Election>;
  /** One of `leases` leases. All programs must give the same number. */
  semaphore(path: string, leases: number, options?: Waiting): Promise<Held>;
  /** A znode that holds back all programs that wait at it. */
  barrier(path: string): Barrier;
  /** Work that is handled at least once. */
  queue(path: string, options?: { readonly most?: number; readonly tries?: number }): Promise<Queue>;
  /** Tasks that a leader assigns to workers. Their results are kept. */
  tasks(path: string, options?: TaskListOptions): Promise<TaskList>;
  /**
   * One of `slots` numbered places. All programs must give the same number. A program that finds none free stands by.
   */
  slots(path: string, slots: number, options?: Waiting & { readonly onStandby?: () => void }): Promise<Slot>;
  /** An ephemeral node `<path>/<id>` that is created again for as long as the program lives. */
  membership(path: string, id: string, details?: Readonly<Record<string, unknown>>): Promise<Member>;
}

export interface Waiting {
  /** Gives up waiting, or ends the candidacy. */
  readonly signal?: AbortSignal;
  /** The content of the node that others see, such as the host name. */
  readonly content?: Content;
}

/** `for await (const term of election)` yields each term in which this program leads, until it leaves. */
export type Election = Candidacy & AsyncIterable<Term>;

export interface Member {
  /** True only while connected, if the server has shown the node as ours in this connection. */
  held(): boolean;
  /** `refused`: another program has the name, until its session ends. */
  readonly state: 'joining' | 'held' | 'refused' | 'contested' | 'left';
  /** Larger for each later holder of the name; undefined while it is not held. */
  readonly fence: bigint | undefined;
  onChange(listener: () => void): () => void;
  leave(): Promise<void>;
}

export interface Barrier {
  /** False if it is held already. An `ephemeral` hold ends with the session of this program. */
  hold(mode?: 'persistent' | 'ephemeral'): Promise<boolean>;
  /** False if it was not held. */
  release(): Promise<boolean>;
  /** Resolves once it is not held. */
  wait(signal?: AbortSignal): Promise<void>;
}

export interface Queue {
  /** Resolves to the id of the item. @throws FleetError FULL */
  put(content: Content): Promise<string>;
  /** Waits for a free item. */
  take(signal?: AbortSignal): Promise<Item>;
  /** One item after another, until the signal fires. */
  items(signal: AbortSignal): AsyncIterable<Item>;
}

export interface TaskListOptions {
  /** How often a task is tried. Default 5. All programs that may lead must give the same number. */
  readonly attempts?: number;
  /** A worker that gives no sign of life about a task for this long loses it, ms. */
  readonly stalledAfterMs?: number;
  /** How many results and failures are kept, and for how long. Default 1,000 of each, for 7 days. */
  readonly keep?: { readonly most?: number; readonly forMs?: number };
}

export interface TaskList {
  /** Resolves to the id of the task. @throws FleetError FULL */
  submit(content: Content): Promise<string>;
  /** Stands for election: one candidate assigns the tasks. Without a leader, none is assigned. */
  lead(): Election;
  /** Performs the tasks that the leader assigns to this program, until the signal fires. */
  work(
    perform: (task: Task) => Content | Promise<Content>,
    options: { readonly signal: AbortSignal; readonly capacity?: number },
  ): Promise<void>;
  /** Waits until the task has ended. */
  result(id: string, signal?: AbortSignal): Promise<TaskResult>;
  /** The tasks that have not ended, oldest first, with the last message of their workers. */
  progress(): Promise<TaskProgress[]>;
  /** Removes the result; false if none was kept. */
  forget(id: string): Promise<boolean>;
}
