import type { Packet } from 'node-zookeeper-client/lib/ConnectionManager.js';
import type { Payload } from 'node-zookeeper-client/lib/jute/index.js';
import type { Answer } from './connection-types.ts';

const LENGTH_AND_HEADER = 12;

/** One request over one connection, in the form of the client package's queue, and the receiver of its answer. */
export class RequestPacket implements Packet {
  readonly header: { xid: number; readonly type: number };
  readonly answered: (answer: Answer) => void;
  readonly #payload: Payload;

  constructor(type: number, payload: Payload, answered: (answer: Answer) => void) {
    this.header = { xid: 0, type };
    this.answered = answered;
    this.#payload = payload;
  }

  /** Length, number, type, payload. */
  toBuffer(): Buffer {
    const payload = this.#payload;
    const length = payload.byteLength();
    const bytes = Buffer.allocUnsafe(LENGTH_AND_HEADER + length);
    bytes.writeInt32BE(LENGTH_AND_HEADER - 4 + length, 0);
    bytes.writeInt32BE(this.header.xid, 4);
    bytes.writeInt32BE(this.header.type, 8);
    const written = payload.serialize(bytes, LENGTH_AND_HEADER);
    if (written !== length) throw new Error(`a payload of ${written} bytes that said ${length}`);
    return bytes;
  }
}
