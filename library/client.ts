import type { AclEntry, CallOptions, CreateMode, Operation, OperationResult, Session } from '../zookeeper/session.ts';
import type { Content } from './content.ts';
import type { FlagReaders } from './flags.ts';
import type { Recipes } from './recipes.ts';
import type { Services } from './services.ts';
import type { Values } from './values.ts';

/**
 * What `connect` returns: one lasting session and the recipes on it. Its states are those of every gitfleet program,
 * each with its own duty (docs/library.md): on `suspended` a holder stops acting; after `lost` its ephemeral nodes are
 * gone. A failure is a FleetError with code, hint and `next`; a failed write says whether it happened (`outcome`).
 * Writes to paths of gitfleet or ZooKeeper are refused (ZNODE_RESERVED); reading is allowed everywhere.
 */
export interface Client
  extends Recipes,
    Pick<
      Session,
      | 'state'
      | 'connected'
      | 'onState'
      | 'get'
      | 'exists'
      | 'children'
      | 'watch'
      | 'watchChildren'
      | 'catchUp'
      | 'getAcl'
      | 'close'
    > {
  /** Flags of apps, evaluated in this program. */
  readonly flags: FlagReaders;
  /** Values of any program, with the refusals of `gitfleet kv`. */
  readonly values: Values;
  readonly services: Services;
  /** Resolves to the created path: the sequential modes append a number to it. */
  create(path: string, content: Content, options?: CreateOptions): Promise<string>;
  /** `version`: the one that was read, or ANY_VERSION. */
  set(path: string, content: Content, version: number, options?: CallOptions): ReturnType<Session['set']>;
  remove(path: string, version: number, options?: CallOptions): Promise<void>;
  /** All or nothing. On failure, `failedAt` of the error is the index of the refused operation. */
  transact(operations: readonly ClientOperation[], options?: CallOptions): Promise<OperationResult[]>;
  /** Creates the missing parents of `path`, and `path` itself, persistent and empty. An existing path is success. */
  ensure(path: string, options?: CallOptions & { readonly acl?: readonly AclEntry[] }): Promise<void>;
  /** Removes `path` and everything below it. A missing path is success. */
  removeTree(path: string, options?: CallOptions): Promise<void>;
}

export interface CreateOptions extends CallOptions {
  /** Default `persistent`. */
  readonly mode?: CreateMode;
  readonly acl?: readonly AclEntry[];
}

export type ClientOperation =
  | Exclude<Operation, { readonly op: 'create' | 'set' }>
  | { readonly op: 'set'; readonly path: string; readonly data: Content; readonly version: number }
  | {
      readonly op: 'create';
      readonly path: string;
      readonly data: Content;
      readonly mode: CreateMode;
      readonly acl?: readonly AclEntry[];
    };
