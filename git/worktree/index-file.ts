import { createHash, type Hash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import type { ObjectFormat } from '../run/commit-id.ts';

/** A file or symlink, in a flat list of a tree. */
export interface FlatEntry {
  readonly mode: string;
  /** Of the blob. */
  readonly id: string;
  readonly size: number;
  /** Its bytes as latin1, because a path need not be UTF-8. */
  readonly path: string;
}

/** An index as far as it is known before the files exist: of each file's stat data, all but the size is zero. */
export interface IndexImage {
  readonly bytes: Buffer;
  /** Where the entries begin. */
  readonly offsets: readonly number[];
}

/** The image of an index of version 2, as in gitformat-index(5). @param entries in the order of an index. */
export function indexImage(entries: readonly FlatEntry[], format: ObjectFormat): IndexImage {
  const pathFrom = ID_AT + idBytesOf(format) + 2;
  const offsets: number[] = [];
  let end = HEADER;
  for (const { path } of entries) {
    offsets.push(end);
    end += (pathFrom + path.length + 8) & ~7; // Padded to a multiple of eight, with one to eight zeros.
  }
  const bytes = writeHeader(Buffer.alloc(end), entries.length);
  for (let n = 0; n < entries.length; n++) {
    const { mode, id, size, path } = entries[n] as FlatEntry;
    const at = offsets[n] as number;
    bytes.writeUInt32BE(Number.parseInt(mode, 8), at + MODE_AT);
    bytes.writeUInt32BE(size % 2 ** 32, at + SIZE_AT);
    bytes.write(id, at + ID_AT, 'hex');
    bytes.writeUInt16BE(Math.min(path.length, MAX_NAMED), at + pathFrom - 2);
    bytes.write(path, at + pathFrom, 'latin1');
  }
  return { bytes, offsets };
}

export function writeHeader(bytes: Buffer, entries: number): Buffer {
  bytes.write('DIRC', 'latin1');
  bytes.writeUInt32BE(2, 4);
  bytes.writeUInt32BE(entries, 8);
  return bytes;
}

/**
 * Whether this index has exactly these entries, none of them in a merge, each with a file that git saw, of this size.
 * Also false if it is absent, damaged, or of a kind that our calls never make; leave it to git then.
 */
export async function isIndexOf(file: string, { bytes: image, offsets }: IndexImage, format: ObjectFormat) {
  const bytes = await readFile(file).catch(() => Buffer.alloc(0));
  const end = bytes.length - idBytesOf(format);
  if (end < image.length) return false;
  if (!createHash(format).update(bytes.subarray(0, end)).digest().equals(bytes.subarray(end))) return false;
  for (const at of offsets) {
    if (bytes.readUInt32BE(at + MTIME_AT) === 0 || bytes.readUInt32BE(at + INODE_AT) === 0) return false;
    bytes.fill(0, at, at + MODE_AT).fill(0, at + MODE_AT + 4, at + SIZE_AT);
  }
  return bytes.subarray(0, image.length).equals(image);
}

/** What an index says of a file: seconds and nanoseconds of ctime and of mtime, device, inode, owner, group. */
export type StatNumbers = readonly [number, number, number, number, number, number, number, number];

interface IndexEntry {
  readonly mode: string;
  readonly id: string;
  readonly seen: StatNumbers;
}

/**
 * The entries of an index of version 2, by path, and the second in which the index was written. Null if it is absent,
 * damaged, of another version, or in a merge. @param like an id of the repository's hash format.
 */
export async function readIndex(
  file: string,
  like: string,
): Promise<{ readonly entries: ReadonlyMap<string, IndexEntry>; readonly writtenS: number } | null> {
  const [bytes, found] = await Promise.all([readFile(file), stat(file)]).catch(() => [Buffer.alloc(0), null] as const);
  const idBytes = like.length / 2;
  const end = bytes.length - idBytes;
  if (found === null || end < HEADER || !bytes.subarray(0, 8).equals(VERSION_2)) return null;
  const sum = createHash(idBytes === 32 ? 'sha256' : 'sha1').update(bytes.subarray(0, end));
  if (!sum.digest().equals(bytes.subarray(end))) return null;
  const entries = new Map<string, IndexEntry>();
  const pathAt = ID_AT + idBytes + 2;
  let at = HEADER;
  for (let left = bytes.readUInt32BE(8); left > 0; left--) {
    const zero = bytes.indexOf(0, at + pathAt);
    if (zero < 0 || zero >= end || (bytes.readUInt16BE(at + pathAt - 2) & STAGE) !== 0) return null;
    const path = bytes.toString('latin1', at + pathAt, zero);
    entries.set(path, {
      mode: bytes.readUInt32BE(at + MODE_AT).toString(8),
      id: bytes.toString('hex', at + ID_AT, at + ID_AT + idBytes),
      seen: SEEN_AT.map((offset) => bytes.readUInt32BE(at + offset)) as unknown as StatNumbers,
    });
    at += (pathAt + (zero - at - pathAt) + 8) & ~7;
  }
  return { entries, writtenS: Math.floor(found.mtimeMs / 1_000) };
}

/** The whole file of an index with this image, where each of its files was seen like this, in the same order. */
export function sealedIndex(
  { bytes: image, offsets }: IndexImage,
  seen: readonly StatNumbers[],
  format: ObjectFormat,
): Buffer {
  const bytes = Buffer.from(image);
  for (const [n, at] of offsets.entries()) {
    for (const [which, offset] of SEEN_AT.entries()) bytes.writeUInt32BE(seen[n]?.[which] ?? 0, at + offset);
  }
  return Buffer.concat([bytes, createHash(format).update(bytes).digest()]);
}

export const idBytesOf = (format: ObjectFormat): number => (format === 'sha256' ? 32 : 20);

export const HEADER = 12;
/** Signature and version. */
const VERSION_2 = Buffer.from('DIRC\0\0\0\x02', 'latin1');
/** Within an entry: times, device and inode, the mode, owner and group, the size, the id. */
const MTIME_AT = 8;
const INODE_AT = 20;
const MODE_AT = 24;
const SIZE_AT = 36;
const ID_AT = 40;
const SEEN_AT = [0, 4, MTIME_AT, 12, 16, INODE_AT, 28, 32];
/** In the flags: not zero in a merge. */
const STAGE = 0x3000;
/** The length in the flags of longer paths. The other flags are for merges and for git's internal use. */
const MAX_NAMED = 0xfff;

/**
 * The id of the tree with these entries, which are in the order of an index. Hashes every tree below it, as git would.
 */
export function treeIdOf(entries: readonly FlatEntry[], format: ObjectFormat): string {
  let at = 0;
  const id = Buffer.alloc(idBytesOf(format));
  const treeBelow = (prefix: string): Hash => {
    let content = '';
    for (let entry = entries[at]; entry?.path.startsWith(prefix); entry = entries[at]) {
      const slash = entry.path.indexOf('/', prefix.length);
      if (slash < 0) {
        id.write(entry.id, 'hex');
        content += `${entry.mode} ${entry.path.slice(prefix.length)}\0${id.toString('latin1')}`;
        at++;
      } else {
        const name = entry.path.slice(prefix.length, slash);
        content += `40000 ${name}\0${treeBelow(`${prefix}${name}/`).digest().toString('latin1')}`;
      }
    }
    return createHash(format).update(`tree ${content.length}\0${content}`, 'latin1');
  };
  return treeBelow('').digest('hex');
}
