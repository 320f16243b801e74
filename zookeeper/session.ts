import type { NodeStat } from './wire/node-stat.ts';

export type { NodeStat } from './wire/node-stat.ts';

/**
 * The contract of our lasting ZooKeeper handle. One Session lives as long as its program and rides on one server
 * session after another. Its states, and the duty each puts on the caller:
 *
 * - `connecting`: no server session yet. Calls wait for one, up to their deadline.
 * - `connected`:  a server answered lately. Reads are at most a follower's lag old.
 * - `suspended`:  the socket is lost, or silent for 3/5 of the session timeout. The server may still count us in, or
 *                 may not: a leader or lock holder stops acting NOW (its signal has fired). Calls wait.
 * - `lost`:       expired, or silent for the whole session timeout. Ephemerals are to be taken for gone; a new
 *                 generation is being made. After it every ephemeral, watch and election is made again.
 * - `closed`:     closed by us or refused for good (`AUTH_FAILED`); every call fails.
 *
 * Legal steps: connecting -> connected -> suspended -> connected | lost; lost -> connected; any -> closed.
 */
export type SessionState = 'connecting' | 'connected' | 'suspended' | 'lost' | 'closed';

/** One period of being connected. */
export interface ConnectedPeriod {
  /** Counts server sessions of this handle, from 1; the same number means the same ephemerals. */
  readonly generation: number;
  readonly sessionId: bigint;
  /** As negotiated with the server, ms. */
  readonly timeoutMs: number;
  /** Fires when this period ends (suspended, lost, closed). A later period has a signal of its own. */
  readonly signal: AbortSignal;
}

export interface NodeData {
  readonly data: Buffer;
  readonly stat: NodeStat;
}

/** What a watch yields: the latest known content, or that there is no such node. */
export type Snapshot = (NodeData & { readonly exists: true }) | { readonly exists: false };

/** The names of a node's children, without order, and the node's stat, in one reply. */
export interface NodeChildren {
  readonly names: readonly string[];
  readonly stat: NodeStat;
}

/** What a watch on children yields. Its `pzxid` grows with every child that comes or goes, also under the same name. */
export type ChildrenSnapshot = (NodeChildren & { readonly exists: true }) | { readonly exists: false };

export type CreateMode = 'persistent' | 'ephemeral' | 'persistent-sequential' | 'ephemeral-sequential';

/** An entry of an access control list; `permissions` is a subset of the letters `cdrwa`. */
export interface AclEntry {
  readonly scheme: string;
  readonly id: string;
  readonly permissions: string;
}

/** Versions are always explicit: a number that was read (0 included), or ANY_VERSION said out loud. */
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

/** One per operation, in order: the path made, or the stat after a set. */
export interface OperationResult {
  readonly path?: string;
  readonly stat?: NodeStat;
}

export interface CallOptions {
  /** Default 2/3 of the session timeout. At it the call fails with `DEADLINE`, outcome `none` or `unknown`. */
  readonly deadlineMs?: number;
}

export interface WatchOptions {
  /** Ends the stream. */
  readonly signal: AbortSignal;
  /** The slow re-read that keeps one lost watch from stranding us; ms, default 60,000, spread by 20 %. */
  readonly resyncMs?: number;
}

interface Vitals {
  readonly state: SessionState;
  /** Of the present period; 0 while there is none. */
  readonly generation: number;
  /** 1, and one more each time the ensemble was found to have lost what we had seen. */
  readonly incarnation: number;
  readonly reconnects: number;
  /** Why the last connection failed or ended; null while none has. */
  readonly trouble: string | null;
  /** Rounds in a row in which every server refused the connection, since nothing listens on its port. */
  readonly roundsWithoutListener: number;
  readonly silentMs: number | undefined;
  readonly roundTripMs: number | undefined;
  readonly callsWaiting: number;
  readonly callsSent: number;
  readonly watchedPaths: number;
  readonly openForMs: number;
}

/**
 * Every call answers exactly once and never on the client's stack. A failure is a ZooKeeperError (errors.ts) with code,
 * path and outcome: `none` (nothing happened) or `unknown` (the reply was lost: find out before trying again).
 */
export interface Session {
  readonly state: SessionState;
  /** The current period; waits for one. Rejects when `signal` fires or the session is closed for good. */
  connected(signal?: AbortSignal): Promise<ConnectedPeriod>;
  /** Called after each change of state; the returned function takes it back. */
  onState(listener: (state: SessionState) => void): () => void;

  get(path: string, options?: CallOptions): Promise<NodeData | null>;
  exists(path: string, options?: CallOptions): Promise<NodeStat | null>;
  /** Names without order; null where there is no such node. */
  children(path: string, options?: CallOptions): Promise<string[] | null>;

  /**
   * Resolves to the path made (sequential modes append the number) and, read back after a lost reply, tells the truth:
   * a node that is there because our own request made it is success.
   */
  create(
    path: string,
    data: Buffer,
    mode: CreateMode,
    options?: CallOptions & { acl?: readonly AclEntry[] },
  ): Promise<string>;
  set(path: string, data: Buffer, version: number, options?: CallOptions): Promise<NodeStat>;
  remove(path: string, version: number, options?: CallOptions): Promise<void>;
  /** All or nothing. On failure `failedAt` of the error is the index of the operation that was refused. */
  transact(operations: readonly Operation[], options?: CallOptions): Promise<OperationResult[]>;

  /** Makes the missing parents of `path` and `path` itself, persistent and empty; there already is success. */
  ensure(path: string, options?: CallOptions & { acl?: readonly AclEntry[] }): Promise<void>;
  /** Removes `path` and all below it; gone already is success. */
  removeTree(path: string, options?: CallOptions): Promise<void>;
  /** A quorum write, so that the reads after it on this session see everything acknowledged before it. */
  catchUp(path: string, options?: CallOptions): Promise<void>;

  /**
   * The latest snapshot of a node as an endless stream: coalescing (a slow reader skips what is outdated), works before
   * the node exists, re-reads after each reconnect and now and then, never goes backward within one incarnation of
   * the ensemble. The first item is the present state; after that one per change and one per re-read that differs.
   */
  watch(path: string, options: WatchOptions): AsyncIterable<Snapshot>;
  /**
   * The same for the names of a node's children. A child that goes and comes back under its name between two reads makes
   * a new item. What a child holds is not watched.
   */
  watchChildren(path: string, options: WatchOptions): AsyncIterable<ChildrenSnapshot>;

  /** The access list of a node and the version to change it by; null where there is no such node. */
  getAcl(path: string, options?: CallOptions): Promise<{ acl: AclEntry[]; version: number } | null>;
  setAcl(path: string, acl: readonly AclEntry[], version: number, options?: CallOptions): Promise<void>;

  /** How it is doing, for doctor and metrics. */
  vitals(): Vitals;

  /** Ends the server session (its ephemerals go at once). Idempotent, legal in any state, ends within about a second. */
  close(): Promise<void>;
  /**
   * Leaves without ending the server session: its ephemerals stay for the session timeout, for a process that continues
   * it (SessionOptions.resume). Otherwise like close.
   */
  detach(): void;
}
