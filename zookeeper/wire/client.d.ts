/**
 * Our declarations of what we use of node-zookeeper-client 1.1.3 (CommonJS, untyped): its connection manager, which
 * sends handshake and pings, and numbers and queues packets on a socket that we give it; and the records for writes.
 * Both are internals of the package: the version is pinned, and test/zookeeper/client-contract.test.ts fails if a new
 * one changes what is declared here. The package's public interface (index.js) is not used: it adds only defects.
 */
declare module 'node-zookeeper-client/lib/jute/index.js' {
  export interface Payload {
    byteLength(): number;
    serialize(buffer: Buffer, offset: number): number;
  }
  export interface Acl extends Payload {
    perms: number;
    id: { scheme: string; id: string };
  }
  export interface TransactionOperation {
    type: number;
    path: string;
    data?: Buffer;
    acls?: { toRecord(): Acl }[];
    mode?: number;
    version?: number;
  }
  export interface Jute {
    OP_CODES: Record<
      | 'CREATE'
      | 'DELETE'
      | 'EXISTS'
      | 'GET_DATA'
      | 'SET_DATA'
      | 'GET_ACL'
      | 'SET_ACL'
      | 'GET_CHILDREN2'
      | 'CHECK'
      | 'MULTI'
      | 'PING'
      | 'AUTH'
      | 'CLOSE_SESSION'
      | 'ERROR',
      number
    >;
    XID_PING: number;
    TransactionRequest: new (operations: TransactionOperation[]) => Payload;
    data: { ACL: new () => Acl };
    protocol: {
      CreateRequest: new (...fields: unknown[]) => Payload;
      DeleteRequest: new (...fields: unknown[]) => Payload;
      SetDataRequest: new (...fields: unknown[]) => Payload;
      GetACLRequest: new (...fields: unknown[]) => Payload;
      SetACLRequest: new (...fields: unknown[]) => Payload;
    };
  }
  const jute: Jute;
  // biome-ignore lint/style/noDefaultExport: what a CommonJS module looks like from here
  export default jute;
}

declare module 'node-zookeeper-client/lib/ConnectionManager.js' {
  import type { EventEmitter } from 'node:events';
  import type { Socket } from 'node:net';

  /** What the manager numbers (in `header.xid`) and writes to the socket. */
  export interface Packet {
    readonly header: { xid: number; readonly type: number };
    toBuffer(): Buffer;
  }
  // biome-ignore lint/style/noDefaultExport: what a CommonJS module looks like from here
  export default class ConnectionManager extends EventEmitter {
    constructor(
      connectionString: string,
      options: { sessionTimeout: number; spinDelay: number; sessionId?: Buffer; sessionPassword?: Buffer },
      stateListener: (state: number) => void,
    );
    state: number;
    /** The next request number. Not 0, which old servers use for "no request". */
    xid: number;
    /** The last transaction seen, sent in the handshake: a server that is behind it refuses us. */
    zxid: Buffer;
    sessionId: Buffer;
    sessionPassword: Buffer;
    sessionTimeout: number;
    pingTimeout: number;
    socket: Socket | undefined;
    watcherManager: { isEmpty(): boolean };
    setState(state: number): void;
    updateTimeout(sessionTimeout: number): void;
    addAuthInfo(scheme: string, credential: Buffer): void;
    queue(packet: Packet, unused: () => void): void;
    /** Written but not yet answered, in the order of their numbers. */
    pendingQueue: { readonly request: Packet }[];
    /** Not yet written. */
    packetQueue: { queue: { readonly request: Packet }[] };
    close(): void;
    /** Sends the handshake and queues the credentials behind it. */
    onSocketConnected(): void;
    /** Gets only the handshake, and replies to pings and credentials. */
    onSocketData(data: Buffer): void;
    onSocketDrain(): void;
    /** Sends a ping. */
    onSocketTimeout(): void;
    static STATES: Record<'CONNECTING' | 'CONNECTED' | 'CLOSED' | 'SESSION_EXPIRED' | 'AUTHENTICATION_FAILED', number>;
  }
}
