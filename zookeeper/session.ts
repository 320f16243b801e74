import type { NodeStat } from './wire/node-stat.ts';

export type { NodeStat } from './wire/node-stat.ts';

/**
 * The contract of our lasting ZooKeeper handle. One Session lives as long as its program and uses successive server
 * sessions. Its states, and what each one requires of the caller:
 *
 * - `connecting`: no server session yet. Calls wait for one, up to their deadline.
 * - `connected`:  a server answered recently. Reads are at most a follower's lag old.
 * - `suspended`:  the socket is lost, or silent for 3/5 of the session timeout. The server may or may not have ended
 *                 the session: a leader or lock holder must stop acting NOW (its signal has fired). Calls wait.
 * - `lost`:       expired, or silent for the whole session timeout. Assume that ephemerals are gone; a new generation
 *                 is being made. After that, create every ephemeral, watch and candidacy again.
 * - `closed`:     closed by us, refused for good (`AUTH_FAILED`), or ended by a defect; every call fails.
 *
 * Legal transitions: connecting -> connected -> suspended -> connected | lost; lost -> connected; any -> closed.
 */
export type SessionState = 'connecting' | 'connected' | 'suspended' | 'lost' | 'closed';

/** One period of uninterrupted connection. */
export interface ConnectedPeriod {
  /** Counts server sessions of this handle, from 1; the same number means the same ephemerals. */
  readonly generation: number;
  readonly sessionId: bigint;
  /** As negotiated with the server, ms. */
  readonly timeoutMs: number;
  /** Fires when this period ends (suspended, lost, closed). Each period has its own signal. */
  readonly signal: AbortSignal;
}

export interface NodeData {
  readonly data: Buffer;
  readonly stat: NodeStat;
}

/** What a watch yields: the latest known content, or that there is no such node. */
export type Snapshot = (NodeData & { readonly exists: true }) | { readonly exists: false };

/** The names of a node's children, in no order, and the node's stat, from one reply. */
export interface NodeChildren {
  readonly names: readonly string[];
  readonly stat: NodeStat;
}

/** What a watch on children yields. `pzxid` grows whenever a child is created or removed, also under the same name. */
export type ChildrenSnapshot = (NodeChildren & { readonly exists: true }) | { readonly exists: false };

export type CreateMode = 'persistent' | 'ephemeral' | 'persistent-sequential' | 'ephemeral-sequential';

/** An entry of an access control list; `permissions` is a subset of the letters `cdrwa`. */
export interface AclEntry {
  readonly scheme: string;
  readonly id: string;
  readonly permissions: string;
}

/** Versions are always explicit: a number that was read (including 0), or ANY_VERSION. */
export const ANY_VERSION = -1;

export type Operation =
  | { readonly op: 'check'; readonly path: string; readonly version: number }
  | {
      readonly op: 'create';
      readonly path: string;
      readonly data: Buffer;
      readonly mode: CreateMode;
      readonly acl?: readonly AclEntry[];
    }
  | { readonly op: 'set'; readonly path: string; readonly data: Buffer; readonly version: number }
  | { readonly op: 'remove'; readonly path: string; readonly version: number };

/** One per operation, in order: the path created, or the stat after a set. */
export interface OperationResult {
  readonly path?: string;
  readonly stat?: NodeStat;
}

export interface CallOptions {
  /** Default 2/3 of the session timeout. Then the call fails with `DEADLINE`, outcome `none` or `unknown`. */
  readonly deadlineMs?: number;
}

export interface WatchOptions {
  /** Ends the stream. */
  readonly signal: AbortSignal;
  /**
   * The interval of the periodic re-read, which limits the harm of a lost watch event; ms, default 60,000, spread by 20
   * %.
   */
  readonly resyncMs?: number;
}

interface Vitals {
  readonly state: SessionState;
  /** Of the current period; 0 while there is none. */
  readonly generation: number;
  /** Starts at 1, and grows each time the ensemble was found to have lost transactions that we had seen. */
  readonly incarnation: number;
  readonly reconnects: number;
  /** Why the last connection failed or ended; null while none has. */
  readonly trouble: string | null;
  /** Consecutive rounds in which every server refused the connection because nothing listens on its port. */
  readonly roundsWithoutListener: number;
  readonly silentMs: number | undefined;
  readonly roundTripMs: number | undefined;
  readonly callsWaiting: number;
  readonly callsSent: number;
  readonly watchedPaths: number;
  readonly openForMs: number;
}

/**
 * Every call settles exactly once, and never on the client library's stack. A failure is a ZooKeeperError (errors.ts)
 * with code, path and outcome: `none` (nothing happened) or `unknown` (the reply was lost: find out before trying
 * again).
 */
export interface Session {
  readonly state: SessionState;
  /** Waits for a connected period and returns it. Rejects if `signal` fires or the session is closed. */
  connected(signal?: AbortSignal): Promise<ConnectedPeriod>;
  /** Calls `listener` after each change of state. The returned function removes it. */
  onState(listener: (state: SessionState) => void): () => void;

  get(path: string, options?: CallOptions): Promise<NodeData | null>;
  exists(path: string, options?: CallOptions): Promise<NodeStat | null>;
  /** Names in no order; null if there is no such node. */
  children(path: string, options?: CallOptions): Promise<string[] | null>;

  /**
   * Resolves to the path created; sequential modes append the number. Also after a lost reply: if our own request
   * created the node, that is success.
   */
  create(
    path: string,
    data: Buffer,
    mode: CreateMode,
    options?: CallOptions & { acl?: readonly AclEntry[] },
  ): Promise<string>;
  set(path: string, data: Buffer, version: number, options?: CallOptions): Promise<NodeStat>;
  remove(path: string, version: number, options?: CallOptions): Promise<void>;
  /** All or nothing. In a failure, `failedAt` is the index of the operation that was refused. */
  transact(operations: readonly Operation[], options?: CallOptions): Promise<OperationResult[]>;

  /** Creates `path` and its missing parents, persistent and empty. Succeeds if it already exists. */
  ensure(path: string, options?: CallOptions & { acl?: readonly AclEntry[] }): Promise<void>;
  /** Removes `path` and everything below it. Succeeds if it is already gone. */
  removeTree(path: string, options?: CallOptions): Promise<void>;
  /** Makes a quorum write, so that later reads on this session see everything that was acknowledged before it. */
  catchUp(path: string, options?: CallOptions): Promise<void>;

  /**
   * The latest snapshot of a node as an endless stream. It coalesces (a slow reader skips outdated states), works
   * before the node exists, re-reads after each reconnect and periodically, and never goes backward within one
   * incarnation of the ensemble. The first item is the current state; then one item follows for each read that found a
   * change.
   */
  watch(path: string, options: WatchOptions): AsyncIterable<Snapshot>;
  /**
   * The same for the names of a node's children. A child that is removed and created again between two reads makes a
   * new item. The content of the children is not watched.
   */
  watchChildren(path: string, options: WatchOptions): AsyncIterable<ChildrenSnapshot>;

  /** The access list of a node and the version for changing it; null if there is no such node. */
  getAcl(path: string, options?: CallOptions): Promise<{ acl: AclEntry[]; version: number } | null>;
  setAcl(path: string, acl: readonly AclEntry[], version: number, options?: CallOptions): Promise<void>;

  /** The health of the session, for doctor and metrics. */
  vitals(): Vitals;

  /**
   * Ends the server session, and with it its ephemerals. Idempotent, legal in any state, takes about a second at most.
   */
  close(): Promise<void>;
  /**
   * Leaves without ending the server session: its ephemerals stay for the session timeout, for a process that continues
   * it (SessionOptions.resume). Otherwise like close.
   */
  detach(): void;
}
