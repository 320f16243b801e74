/** What a server says of a node beside its content. */
export interface NodeStat {
  readonly version: number;
  readonly czxid: bigint;
  readonly mzxid: bigint;
  /** The last transaction that made or removed a child; a child's content does not move it. */
  readonly pzxid: bigint;
  /** Ms since the epoch, by the server's clock. */
  readonly ctime: number;
  readonly mtime: number;
  /** The session id of the owner, 0n for a persistent node. */
  readonly ephemeralOwner: bigint;
  readonly numChildren: number;
}
