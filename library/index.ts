/// <reference types="node" preserve="true" />
/**
 * The public interface of the package: `import { connect } from 'gitfleet'`. What is exported here is the library.
 * Every other file of the package may change without notice. Importing it starts nothing: no signal handler, no timer,
 * no log line.
 */

export type { Evaluation, EvaluationContext, FlagValue } from '../fleet/flags/evaluation.ts';
export type { Code } from '../runtime/codes.ts';
export { type Failure, FleetError, type NextStep } from '../runtime/errors.ts';
export { isCode, type WriteOutcome, ZooKeeperError } from '../zookeeper/errors.ts';
export type { Candidacy, Term } from '../zookeeper/recipes/candidacy.ts';
export type { Held } from '../zookeeper/recipes/queue-node.ts';
export type { Slot } from '../zookeeper/recipes/slots.ts';
export type { Task } from '../zookeeper/recipes/task-worker.ts';
export type { TaskProgress, TaskResult } from '../zookeeper/recipes/tasks.ts';
export type { Item } from '../zookeeper/recipes/work-queue.ts';
export {
  type AclEntry,
  ANY_VERSION,
  type CallOptions,
  type ChildrenSnapshot,
  type ConnectedPeriod,
  type CreateMode,
  type NodeChildren,
  type NodeData,
  type NodeStat,
  type OperationResult,
  type SessionState,
  type Snapshot,
  type WatchOptions,
} from '../zookeeper/session.ts';
export type { Client, ClientOperation, CreateOptions } from './client.ts';
export { type ConnectSettings, connect } from './connect.ts';
export type { Content } from './content.ts';
export type {
  FlagReaders,
  FlagSet,
  FlagStructure,
  FlagsChange,
  FlagsState,
  WatchedFlags,
  WatchFlagsOptions,
} from './flags.ts';
export type { Barrier, Election, Member, Queue, TaskList, TaskListOptions } from './recipes.ts';
export type {
  CallerOptions,
  InstanceList,
  LeaveOptions,
  Left,
  PickOptions,
  RegisteredInstance,
  RegisterOptions,
  ServiceCaller,
  ServiceInstance,
  Services,
} from './services.ts';
export type { PutOptions, Value, Values } from './values.ts';
