import { createHash } from 'node:crypto';
import type { ObjectFormat } from './commit-id.ts';
import { HEADER, type IndexImage, idBytesOf, writeHeader } from './index-file.ts';

/** A run of an index's entries, to be written out by a git of its own. */
export interface IndexPart {
  /** Which entries of the whole, the last one not included. */
  readonly from: number;
  readonly to: number;
  /** An index of just these. */
  readonly file: Buffer;
}

/** The whole in so many parts of about the same number of entries, in order. */
export function partsOf({ bytes, offsets }: IndexImage, count: number, format: ObjectFormat): IndexPart[] {
  const boundary = (at: number) => Math.floor((offsets.length * at) / count);
  const byteOf = (entry: number) => offsets[entry] ?? bytes.length;
  return Array.from({ length: count }, (_, at) => {
    const [from, to] = [boundary(at), boundary(at + 1)];
    return { from, to, file: indexFile([bytes.subarray(byteOf(from), byteOf(to))], to - from, format) };
  });
}

/**
 * One index of what git made of the parts. Null: a file is too short for its part; whether it has just these entries is
 * for `isIndexOf` to say.
 */
export function joined(parts: readonly IndexPart[], made: readonly Buffer[], format: ObjectFormat): Buffer | null {
  const end = idBytesOf(format);
  const regions = parts.map(({ file }, at) => {
    const entries = made[at]?.subarray(HEADER, file.length - end);
    return entries && made[at] && made[at].length >= file.length ? entries : null;
  });
  if (regions.includes(null)) return null;
  return indexFile(regions as Buffer[], parts.at(-1)?.to ?? 0, format);
}

function indexFile(regions: readonly Buffer[], count: number, format: ObjectFormat): Buffer {
  const content = Buffer.concat([writeHeader(Buffer.alloc(HEADER), count), ...regions]);
  return Buffer.concat([content, createHash(format).update(content).digest()]);
}
