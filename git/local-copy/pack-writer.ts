import { createHash } from 'node:crypto';
import { endianness } from 'node:os';
import { crc32, deflateSync } from 'node:zlib';
import type { ObjectFormat } from '../run/commit-id.ts';

export interface PackedObject {
  readonly id: string;
  readonly type: string;
  readonly content: Buffer;
}

/** A pack and its index, to be written as `<name>.pack` and `<name>.idx`. */
export interface Pack {
  readonly name: string;
  readonly pack: Buffer;
  readonly index: Buffer;
}

/**
 * Pure: packs a few distinct objects without deltas, as described in gitformat-pack(5) (pack version 2, index version
 * 2).
 */
export function packOf(objects: readonly PackedObject[], format: ObjectFormat): Pack {
  const parts = [Buffer.from('PACK'), words([2, objects.length])];
  let offset = 12;
  const entries = objects.map(({ id, type, content }) => {
    const bytes = Buffer.concat([entryHeader(KINDS[type] ?? 0, content.length), deflateSync(content, SMALL)]);
    const entry = { id: Buffer.from(id, 'hex'), crc: crc32(bytes), offset };
    parts.push(bytes);
    offset += bytes.length;
    return entry;
  });
  const body = Buffer.concat(parts);
  const checksum = createHash(format).update(body).digest();
  entries.sort((a, b) => Buffer.compare(a.id, b.id));
  const index = Buffer.concat([
    words([INDEX_MARK, 2, ...fanOut(entries)]),
    ...entries.map(({ id }) => id),
    words(entries.map(({ crc }) => crc)),
    words(entries.map((entry) => entry.offset)),
    checksum,
  ]);
  return {
    name: `pack-${checksum.toString('hex')}`,
    pack: Buffer.concat([body, checksum]),
    index: Buffer.concat([index, createHash(format).update(index).digest()]),
  };
}

const KINDS: Readonly<Record<string, number>> = { commit: 1, tree: 2, blob: 3 };
const INDEX_MARK = 0xff744f63;
/** With zlib's defaults, the set-up takes longer than deflating a small file. */
const SMALL = { level: 1, memLevel: 5, windowBits: 12 };

/** For each first byte of an id: how many ids begin with that byte or a lower one. */
function fanOut(sorted: readonly { id: Buffer }[]): number[] {
  const counts: number[] = new Array(256).fill(0);
  for (const { id } of sorted) counts[id[0] ?? 0] = (counts[id[0] ?? 0] ?? 0) + 1;
  for (let at = 1; at < 256; at++) counts[at] = (counts[at] ?? 0) + (counts[at - 1] ?? 0);
  return counts;
}

function words(values: readonly number[]): Buffer {
  const bytes = Buffer.from(Uint32Array.from(values).buffer);
  return endianness() === 'LE' ? bytes.swap32() : bytes;
}

/** Kind and size: the lowest four bits of the size beside the kind, then seven bits per byte, lowest first. */
function entryHeader(kind: number, size: number): Buffer {
  const bytes: number[] = [(kind << 4) | (size & 15)];
  for (let rest = size >>> 4; rest > 0; rest >>>= 7) {
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) | 0x80;
    bytes.push(rest & 0x7f);
  }
  return Buffer.from(bytes);
}
