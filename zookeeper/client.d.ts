/**
 * Our own declarations of what we use of node-zookeeper-client 1.1.3 (CommonJS, untyped): its connection manager, which
 * numbers, queues and matches packets on a socket that we give it, and its codec. Both are private parts of the package:
 * the version is pinned, and test/zookeeper/client-contract.test.ts fails when a new one changes what is named here.
 * The package's public face (index.js) is not used: it adds nothing but defects.
 */
declare module 'node-zookeeper-client/lib/jute/index.js' {
  /** A 64 bit number is eight bytes, big endian. */
  export type Long = Buffer;

  export interface Payload {
    byteLength(): number;
    serialize(buffer: Buffer, offset: number): number;
    setChrootPath(path: string): void;
  }
  export interface Stat {
    czxid: Long;
    mzxid: Long;
    pzxid: Long;
    ctime: Long;
    mtime: Long;
    version: number;
    cversion: number;
    aversion: number;
    ephemeralOwner: Long;
    numChildren: number;
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
  export interface TransactionResult {
    type: number;
    path?: string;
    stat?: Stat;
    err?: number;
  }
  /** Everything a reply may carry; which members are there depends on the request. */
  export interface ReplyPayload {
    path?: string;
    data?: Buffer;
    stat?: Stat;
    children?: string[];
    acl?: Acl[];
    results?: TransactionResult[];
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
    Request: new (header: object, payload: Payload | null) => { toBuffer(): Buffer };
    TransactionRequest: new (operations: TransactionOperation[]) => Payload;
    data: { ACL: new () => Acl };
    protocol: {
      RequestHeader: new (xid?: number, type?: number) => { xid: number; type: number };
      CreateRequest: new (...fields: unknown[]) => Payload;
      DeleteRequest: new (...fields: unknown[]) => Payload;
      ExistsRequest: new (...fields: unknown[]) => Payload;
      GetDataRequest: new (...fields: unknown[]) => Payload;
      SetDataRequest: new (...fields: unknown[]) => Payload;
      GetACLRequest: new (...fields: unknown[]) => Payload;
      SetACLRequest: new (...fields: unknown[]) => Payload;
      GetChildren2Request: new (...fields: unknown[]) => Payload;
    };
  }
  const jute: Jute;
  // biome-ignore lint/style/noDefaultExport: what a CommonJS module looks like from here
  export default jute;
}

declare module 'node-zookeeper-client/lib/ConnectionManager.js' {
  import type { EventEmitter } from 'node:events';
  import type { Socket } from 'node:net';
  import type { ReplyPayload } from 'node-zookeeper-client/lib/jute/index.js';

  interface Reply {
    header: { xid: number; zxid: Buffer; err: number };
    payload: ReplyPayload | null;
  }
  // biome-ignore lint/style/noDefaultExport: what a CommonJS module looks like from here
  export default class ConnectionManager extends EventEmitter {
    constructor(
      connectionString: string,
      options: { sessionTimeout: number; spinDelay: number; sessionId?: Buffer; sessionPassword?: Buffer },
      stateListener: (state: number) => void,
    );
    state: number;
    /** The request numbers; 0 would also be the number of "no request" on old servers. */
    xid: number;
    /** The last transaction seen, sent with the handshake: a server that is behind it refuses us. */
    zxid: Buffer;
    sessionId: Buffer;
    sessionPassword: Buffer;
    sessionTimeout: number;
    pingTimeout: number;
    socket: Socket | undefined;
    watcherManager: { isEmpty(): boolean; emit(event: { type: number; path: string }): void };
    setState(state: number): void;
    updateTimeout(sessionTimeout: number): void;
    addAuthInfo(scheme: string, credential: Buffer): void;
    queue(request: object, callback: (error: { code: number } | null, reply?: Reply) => void): void;
    close(): void;
    /** Sends the handshake and queues the credentials behind it. */
    onSocketConnected(): void;
    onSocketData(data: Buffer): void;
    onSocketDrain(): void;
    /** Sends a ping. */
    onSocketTimeout(): void;
    static STATES: Record<'CONNECTING' | 'CONNECTED' | 'CLOSED' | 'SESSION_EXPIRED' | 'AUTHENTICATION_FAILED', number>;
  }
}
