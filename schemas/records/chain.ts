import * as z from 'zod';
import { sha256 } from '../../runtime/sha256.ts';

/**
 * What links a numbered record to the one before it: `sha256:` and the hash of that record's bytes, or why there is
 * none: `first`, `missing` (no such znode), `unreadable` (its rights did not let the writer read it). Null: written by
 * gitfleet 0.1.0 or by another client. What the chain proves, and what it does not: docs/design.md, section 3.
 */
export const chain = z.string().nullable().default(null);

/** The bytes of the record before the next one, or why there are none. */
export type Before = Buffer | 'first' | 'missing' | 'unreadable';

export const chainTo = (before: Before): string => (typeof before === 'string' ? before : `sha256:${sha256(before)}`);
