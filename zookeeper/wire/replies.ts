import jute from 'node-zookeeper-client/lib/jute/index.js';
import type { PartResult, ReplyPayload, Stat } from './connection-types.ts';

/*
 * Servers' answers, read from the bytes of a frame by our own code. The client package's codec allocates some fifteen
 * buffers per answer, and a fleet's watches all read at the same instant. Layouts: zookeeper.jute of ZooKeeper 3.9.
 */

const { OP_CODES } = jute;
const view = new DataView(new ArrayBuffer(8));

/** Reads the fields of one frame in their order. A frame that is cut short throws, which ends its connection. */
export class Fields {
  #frame: Buffer;
  #at: number;

  constructor(frame: Buffer, at: number) {
    this.#frame = frame;
    this.#at = at;
  }

  int(): number {
    this.#at += 4;
    return this.#frame.readInt32BE(this.#at - 4);
  }

  /** Several times faster than Buffer's own method. */
  long(): bigint {
    view.setInt32(0, this.int());
    view.setInt32(4, this.int());
    return view.getBigInt64(0);
  }

  /** Ms since the epoch. */
  time(): number {
    return this.int() * 2 ** 32 + (this.int() >>> 0);
  }

  skip(bytes: number): void {
    this.#at += bytes;
    if (this.#at > this.#frame.length) throw new RangeError(`${bytes} bytes where the frame ends sooner`);
  }

  flag(): boolean {
    this.#at += 1;
    return this.#frame.readUInt8(this.#at - 1) === 1;
  }

  text(): string {
    const from = this.#past();
    return this.#frame.toString('utf8', from, this.#at);
  }

  /** Shares the socket's buffer if the frame is all it contains; otherwise a copy. */
  bytes(): Buffer {
    const from = this.#past();
    const shared = this.#frame.subarray(from, this.#at);
    return this.#frame.length === this.#frame.buffer.byteLength ? shared : Buffer.from(shared);
  }

  list<T>(one: () => T): T[] {
    const items: T[] = [];
    for (let left = this.int(); left > 0; left--) items.push(one());
    return items;
  }

  /** Skips a length and as many bytes; a length of -1 means none. @returns where the bytes begin. */
  #past(): number {
    const length = Math.max(0, this.int());
    this.skip(length);
    return this.#at - length;
  }
}

/** The payload of a reply to a request of this type. @throws RangeError if the bytes do not fit such a reply. */
export function readPayload(type: number, fields: Fields): ReplyPayload {
  switch (type) {
    case OP_CODES.GET_DATA: {
      const data = fields.bytes();
      return { data, stat: readStat(fields) };
    }
    case OP_CODES.EXISTS:
    case OP_CODES.SET_DATA:
    case OP_CODES.SET_ACL:
      return { stat: readStat(fields) };
    case OP_CODES.GET_CHILDREN2: {
      const children = fields.list(() => fields.text());
      return { children, stat: readStat(fields) };
    }
    case OP_CODES.GET_ACL: {
      const acl = fields.list(() => ({ perms: fields.int(), id: { scheme: fields.text(), id: fields.text() } }));
      return { acl, stat: readStat(fields) };
    }
    case OP_CODES.CREATE:
      return { path: fields.text() };
    case OP_CODES.MULTI:
      return { results: readResults(fields) };
    default:
      return {};
  }
}

/** A watch event: what happened, and where. */
export function readEvent(fields: Fields): { type: number; path: string } {
  const type = fields.int();
  fields.skip(4); // The state of the session, which is always "connected".
  return { type, path: fields.text() };
}

function readStat(fields: Fields): Stat {
  const czxid = fields.long();
  const mzxid = fields.long();
  const ctime = fields.time();
  const mtime = fields.time();
  const version = fields.int();
  fields.skip(4); // cversion
  const aversion = fields.int();
  const ephemeralOwner = fields.long();
  fields.skip(4); // dataLength
  const numChildren = fields.int();
  const pzxid = fields.long();
  return { version, czxid, mzxid, pzxid, ctime, mtime, ephemeralOwner, numChildren, aversion };
}

function readResults(fields: Fields): PartResult[] {
  const results: PartResult[] = [];
  for (;;) {
    const type = fields.int();
    const done = fields.flag();
    fields.skip(4); // The result code, which a refused part also has in its body.
    if (done) return results;
    if (type === OP_CODES.CREATE) results.push({ type, path: fields.text() });
    else if (type === OP_CODES.SET_DATA) results.push({ type, stat: readStat(fields) });
    else if (type === OP_CODES.DELETE || type === OP_CODES.CHECK) results.push({ type });
    else if (type === OP_CODES.ERROR) results.push({ type, err: fields.int() });
    else throw new RangeError(`a part of type ${type} in the answer to a transaction`);
  }
}
