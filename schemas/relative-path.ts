import { type Refused, refuse, shown } from './refusal.ts';
import type { RelativePath } from './values.ts';

/**
 * Where below an agent's root the link to the active release is. Plain segments in one spelling, so that two different
 * texts are two different places on every file system we know, and no text leads out of the root. What is on the disk
 * there (links, foreign directories, our own files) is for the agent to check.
 */
export function parseRelativePath(text: string): { ok: true; relativePath: RelativePath } | Refused {
  const why = violation(text);
  if (why === '') return { ok: true, relativePath: text as RelativePath };
  return refuse('PATH', `relativePath: ${why}`);
}

const MAX_BYTES = 255;
const MAX_SEGMENTS = 16;
/** The first character cannot be a dot: that excludes `.`, `..`, `.git` and our own `.gitfleet`. */
const SEGMENT = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$/;
/** Windows opens a device for these names, whatever the extension. A release may be copied there one day. */
const DEVICE = /^(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|$)/i;

/** A journal is an object with paths as names: under these, every object already has something else. */
const isReserved = (text: string): boolean => text in Object.prototype;

function violation(text: string): string {
  if (text === '') return 'it is empty';
  if (isReserved(text)) return `${shown(text)} alone is a reserved name`;
  if (Buffer.byteLength(text) > MAX_BYTES) return `longer than ${MAX_BYTES} bytes`;
  const segments = text.split('/');
  if (segments.length > MAX_SEGMENTS) return `more than ${MAX_SEGMENTS} segments`;
  const plain = (segment: string) => SEGMENT.test(segment) && !segment.endsWith('.');
  const wrong = segments.find((segment) => !plain(segment) || DEVICE.test(segment));
  if (wrong === undefined) return '';
  if (plain(wrong)) return `${shown(text)} has the segment ${shown(wrong)}, a device name`;
  return `${shown(text)} has a segment that is not plain (letters, digits, . _ -, at most 100, no dot at its ends)`;
}
