import { createHash, type Hash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { ObjectFormat } from './commit-id.ts';

/** A file or symlink as a flat list of a tree has it. */
export interface FlatEntry {
  readonly mode: string;
  /** Of the blob: its bytes as latin1. */
  readonly id: string;
  readonly size: number;
  /** Its bytes as latin1, since a path need not be UTF-8. */
  readonly path: string;
}

/** The same in git's index, whose size is what git saw when it wrote the file or compared it last. */
export interface IndexEntry extends FlatEntry {
  /** False: git never looked at the file. */
  readonly seen: boolean;
}

/**
 * Reads an index as gitformat-index(5) describes versions 2 and 3, in its order: by path, byte by byte.
 * @returns null where it is absent, damaged or of a kind that our calls never make; git itself is to be asked then.
 */
export async function readIndex(file: string, format: ObjectFormat): Promise<IndexEntry[] | null> {
  const bytes = await readFile(file).catch(() => null);
  const idBytes = format === 'sha256' ? 32 : 20;
  if (bytes === null || bytes.length < HEADER + idBytes || bytes.toString('latin1', 0, 4) !== 'DIRC') return null;
  const end = bytes.length - idBytes;
  if (!createHash(format).update(bytes.subarray(0, end)).digest().equals(bytes.subarray(end))) return null;
  const version = bytes.readUInt32BE(4);
  if (version !== 2 && version !== 3) return null;
  const count = bytes.readUInt32BE(8);
  const entries: IndexEntry[] = [];
  const text = bytes.toString('latin1', 0, end);
  for (let at = HEADER; entries.length < count; ) {
    const idAt = at + STAT;
    const pathAt = idAt + idBytes + 2;
    const pathEnd = text.indexOf('\0', pathAt);
    if (pathEnd < 0 || (bytes.readUInt16BE(pathAt - 2) & (EXTENDED | STAGE)) !== 0) return null;
    entries.push({
      mode: bytes.readUInt32BE(at + MODE_AT).toString(8),
      id: text.slice(idAt, idAt + idBytes),
      size: bytes.readUInt32BE(at + SIZE_AT),
      seen: bytes.readUInt32BE(at + MTIME_AT) !== 0 && bytes.readUInt32BE(at + INODE_AT) !== 0,
      path: text.slice(pathAt, pathEnd),
    });
    at += (pathEnd - at + 8) & ~7; // Padded to a multiple of eight, with one to eight zeros.
  }
  return entries;
}

const HEADER = 12;
/** Bytes before the id (times, device, inode, mode, owner, size), and where some of them stand. */
const STAT = 40;
const MTIME_AT = 8;
const INODE_AT = 20;
const MODE_AT = 24;
const SIZE_AT = 36;
/** Flags of an entry that is no plain one: half merged, or with further flags. */
const EXTENDED = 0x4000;
const STAGE = 0x3000;

/** The id of the tree that these make, in the order of an index: every tree below it is hashed anew, as git would. */
export function treeIdOf(entries: readonly FlatEntry[], format: ObjectFormat): string {
  let at = 0;
  const treeBelow = (prefix: string): Hash => {
    let content = '';
    for (let entry = entries[at]; entry?.path.startsWith(prefix); entry = entries[at]) {
      const slash = entry.path.indexOf('/', prefix.length);
      if (slash < 0) {
        content += `${entry.mode} ${entry.path.slice(prefix.length)}\0${entry.id}`;
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
