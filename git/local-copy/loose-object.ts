import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inflateSync } from 'node:zlib';
import type { FoundObject } from '../objects/object-reader.ts';
import { hashOf } from '../objects/tree-diff.ts';

/**
 * Reads one loose object below `objects`, a directory that other programs write into. Synchronous, so only for a local
 * disk. Null if there is no such file, it is not a small regular file, or its content does not match its name.
 * @param maxBytes limit for the object and for its file.
 */
export function readLoose(objects: string, id: string, maxBytes: number): FoundObject | null {
  const deflated = readSmall(join(objects, id.slice(0, 2), id.slice(2)), maxBytes);
  const whole = deflated && inflated(deflated, maxBytes + MAX_HEADER);
  if (!whole) return null;
  const end = whole.indexOf(0);
  const [, type, size] = /^(commit|tree|blob) (\d+)$/.exec(whole.toString('latin1', 0, Math.max(end, 0))) ?? [];
  const content = whole.subarray(end + 1);
  if (type === undefined || Number(size) !== content.length || hashOf(type, content, id) !== id) return null;
  return { id, type, size: content.length, content };
}

const MAX_HEADER = 32;

/** Does not follow links, and does not wait on a pipe. */
function readSmall(file: string, maxBytes: number): Buffer | null {
  let descriptor: number;
  try {
    descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  } catch {
    return null;
  }
  try {
    const found = fstatSync(descriptor);
    return found.isFile() && found.size <= maxBytes ? readFileSync(descriptor) : null;
  } catch {
    return null;
  } finally {
    closeSync(descriptor);
  }
}

function inflated(deflated: Buffer, maxOutputLength: number): Buffer | null {
  try {
    return inflateSync(deflated, { maxOutputLength });
  } catch {
    return null;
  }
}
