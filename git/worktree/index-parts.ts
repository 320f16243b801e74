import { createHash } from 'node:crypto';
import type { ObjectFormat } from '../run/commit-id.ts';
import { HEADER, type IndexImage, idBytesOf, writeHeader } from './index-file.ts';

/** Consecutive entries of an index, to be written out by one git process. */
export interface IndexPart {
  /** Which entries of the whole; `to` is exclusive. */
  readonly from: number;
  readonly to: number;
  /** An index of only these. */
  readonly file: Buffer;
}

/** Splits the whole into `count` parts of about the same number of entries, in order. */
export function partsOf({ bytes, offsets }: IndexImage, count: number, format: ObjectFormat): IndexPart[] {
  const boundary = (at: number) => Math.floor((offsets.length * at) / count);
  const byteOf = (entry: number) => offsets[entry] ?? bytes.length;
  return Array.from({ length: count }, (_, at) => {
    const [from, to] = [boundary(at), boundary(at + 1)];
    return { from, to, file: indexFile([bytes.subarray(byteOf(from), byteOf(to))], to - from, format) };
  });
}

/**
 * Joins the indexes that git wrote for the parts. Null if one of them is of another kind or too short. Does not check
 * the entries; `isIndexOf` does.
 */
export function joined(parts: readonly IndexPart[], made: readonly Buffer[], format: ObjectFormat): Buffer | null {
  const regions: Buffer[] = [];
  for (const [at, { file }] of parts.entries()) {
    const found = made[at] ?? Buffer.alloc(0);
    if (found.length < file.length || !found.subarray(0, HEADER).equals(file.subarray(0, HEADER))) return null;
    regions.push(found.subarray(HEADER, file.length - idBytesOf(format)));
  }
  return indexFile(regions, parts.at(-1)?.to ?? 0, format);
}

function indexFile(regions: readonly Buffer[], count: number, format: ObjectFormat): Buffer {
  const content = Buffer.concat([writeHeader(Buffer.alloc(HEADER), count), ...regions]);
  return Buffer.concat([content, createHash(format).update(content).digest()]);
}
