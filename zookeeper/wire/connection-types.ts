import type { Payload } from 'node-zookeeper-client/lib/jute/index.js';
import type { Clock } from '../../runtime/clock.ts';
import type { NodeStat } from './node-stat.ts';

/** The interface between the session layer and one connection. */
export interface Connection {
  /** `answered` is called exactly once, for a reply on the socket's stack: it must only record the answer. */
  send(type: number, payload: Payload, answered: (answer: Answer) => void): void;
  silentFor(): number;
  silentLimitMs(): number;
  rttMs(): number | undefined;
  waiting(): number;
  /** Ends the connection now, as silent. */
  cut(words: string): void;
  /** Ends the server session, waits at most `withinMs` for the server to hang up, then ends the connection. */
  close(withinMs: number): Promise<void>;
}

/** A reply, the server's refusal, or the end of the connection before either came. */
export type Answer = Reply | Refusal | Lost;

export interface Reply {
  readonly is: 'reply';
  readonly payload: ReplyPayload;
  /** The server's last transaction when it answered. */
  readonly zxid: bigint;
}
/** Which members are set depends on the request. */
export interface ReplyPayload {
  readonly path?: string;
  readonly data?: Buffer;
  readonly stat?: Stat;
  readonly children?: string[];
  readonly acl?: readonly { readonly perms: number; readonly id: { readonly scheme: string; readonly id: string } }[];
  /** Of a transaction, one per operation. A refusal is in these results; the reply itself looks successful. */
  readonly results?: readonly PartResult[];
}

export interface Stat extends NodeStat {
  /** The version of the access list. */
  readonly aversion: number;
}
export interface PartResult {
  readonly type: number;
  readonly path?: string;
  readonly stat?: Stat;
  /** A result code. */
  readonly err?: number;
}
interface Refusal {
  readonly is: 'refusal';
  readonly resultCode: number;
  readonly zxid: bigint;
}
interface Lost {
  readonly is: 'lost';
  readonly end: ConnectionEnd;
}

/**
 * `unreachable`: no TCP or TLS connection. `refused`: the server hung up during the handshake, because it has no quorum
 * or is behind what we have seen. `silent`: nothing arrived for too long. `broken`: the connection failed, or the bytes
 * make no sense.
 */
export interface ConnectionEnd {
  readonly why: 'unreachable' | 'refused' | 'silent' | 'broken' | 'expired' | 'auth-failed' | 'closed';
  readonly words: string;
  /** The machine is up but nothing listens on the port (ECONNREFUSED). */
  readonly noListener?: boolean;
}

/** A server session's identity, which is enough to continue it over another connection. */
export interface Handshake {
  readonly id: Buffer;
  readonly password: Buffer;
  readonly timeoutMs: number;
}

export interface AuthEntry {
  readonly scheme: string;
  readonly credential: string;
}

/**
 * Contents, not file names. `servername` is the name that the server's certificate must have; default: the host as
 * given.
 */
export interface TlsMaterial {
  readonly ca?: string | Buffer;
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
  readonly passphrase?: string;
  readonly servername?: string;
}

/** One address to try; `host` is the name that it was resolved from. */
export interface Address {
  readonly host: string;
  readonly ip: string;
  readonly port: number;
}

/** Opens one connection to one server. A connection that ended is never used again; the next one is new. */
export type OpenConnection = (options: ConnectionOptions) => Connection;

export interface ConnectionOptions {
  readonly address: Address;
  readonly tls?: TlsMaterial | undefined;
  readonly sessionTimeoutMs: number;
  readonly handshakeMs: number;
  /** The session to continue; undefined: a new one. */
  readonly resume?: Handshake | undefined;
  /** A server that is behind this transaction refuses us. */
  readonly lastZxid: bigint;
  readonly auth: readonly AuthEntry[];
  readonly clock: Clock;
  /** A watch fired. Runs on the socket's stack, so it must only record that. */
  readonly onEvent: (type: number, path: string) => void;
  /** The handshake succeeded. */
  readonly onUp: (handshake: Handshake) => void;
  /** Exactly once. */
  readonly onEnd: (how: ConnectionEnd) => void;
}
