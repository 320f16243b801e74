/** What a server says about a node besides its content. */
export interface NodeStat {
  readonly version: number;
  readonly czxid: bigint;
  readonly mzxid: bigint;
  /** The last transaction that created or removed a child. Changes to a child's content do not count. */
  readonly pzxid: bigint;
  /** Ms since the epoch, by the server's clock. */
  readonly ctime: number;
  readonly mtime: number;
  /** The session id of the owner; 0n for a persistent node. */
  readonly ephemeralOwner: bigint;
  readonly numChildren: number;
}
