import jute, { type Payload } from 'node-zookeeper-client/lib/jute/index.js';

/** A client's request, parsed from the exact bytes that would have been sent. */
export type Asked =
  | { readonly op: 'get' | 'exists' | 'children'; readonly path: string; readonly watch: boolean }
  | { readonly op: 'getAcl'; readonly path: string }
  | { readonly op: 'setAcl'; readonly path: string; readonly acl: readonly Entry[]; readonly version: number }
  | { readonly op: 'write'; readonly operations: readonly Change[]; readonly multi: boolean };

export type Change =
  | { readonly op: 'check' | 'remove'; readonly path: string; readonly version: number }
  | { readonly op: 'set'; readonly path: string; readonly data: Buffer; readonly version: number }
  | {
      readonly op: 'create';
      readonly path: string;
      readonly data: Buffer;
      readonly acl: readonly Entry[];
      readonly flags: number;
    };

export interface Entry {
  readonly perms: number;
  readonly id: { readonly scheme: string; readonly id: string };
}

/** @throws Error for a request that this fake does not know. */
export function readRequest(type: number, payload: Payload): Asked {
  const bytes = Buffer.alloc(payload.byteLength());
  payload.serialize(bytes, 0);
  const from = reader(bytes);
  const { OP_CODES } = jute;
  switch (type) {
    case OP_CODES.GET_DATA:
      return { op: 'get', path: from.text(), watch: from.flag() };
    case OP_CODES.EXISTS:
      return { op: 'exists', path: from.text(), watch: from.flag() };
    case OP_CODES.GET_CHILDREN2:
      return { op: 'children', path: from.text(), watch: from.flag() };
    case OP_CODES.GET_ACL:
      return { op: 'getAcl', path: from.text() };
    case OP_CODES.SET_ACL:
      return { op: 'setAcl', path: from.text(), acl: from.acl(), version: from.int() };
    case OP_CODES.MULTI:
      return { op: 'write', multi: true, operations: readMulti(from) };
    default:
      return { op: 'write', multi: false, operations: [readChange(type, from)] };
  }
}

type Reader = ReturnType<typeof reader>;

function readMulti(from: Reader): Change[] {
  const changes: Change[] = [];
  for (;;) {
    const type = from.int();
    const done = from.flag();
    from.int();
    if (done) return changes;
    changes.push(readChange(type, from));
  }
}

function readChange(type: number, from: Reader): Change {
  const { OP_CODES } = jute;
  switch (type) {
    case OP_CODES.CREATE:
      return { op: 'create', path: from.text(), data: from.bytes(), acl: from.acl(), flags: from.int() };
    case OP_CODES.SET_DATA:
      return { op: 'set', path: from.text(), data: from.bytes(), version: from.int() };
    case OP_CODES.DELETE:
      return { op: 'remove', path: from.text(), version: from.int() };
    case OP_CODES.CHECK:
      return { op: 'check', path: from.text(), version: from.int() };
    default:
      throw new Error(`the fake server does not know request ${type}`);
  }
}

function reader(buffer: Buffer) {
  let at = 0;
  const int = () => {
    at += 4;
    return buffer.readInt32BE(at - 4);
  };
  const bytes = () => {
    const length = Math.max(0, int());
    at += length;
    return Buffer.from(buffer.subarray(at - length, at));
  };
  const text = () => bytes().toString('utf8');
  const flag = () => buffer[at++] === 1;
  const acl = () => Array.from({ length: int() }, () => ({ perms: int(), id: { scheme: text(), id: text() } }));
  return { int, bytes, text, flag, acl };
}
