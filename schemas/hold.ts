import * as z from 'zod';
import { once } from '../runtime/once.ts';
import { isCommitId } from './commit-id.ts';
import { said } from './said.ts';
import { fromJson, toJson } from './text/lenient-json.ts';

/**
 * The two brakes of an app. Both znodes always exist, and are empty while nothing is stopped. `hold`: a person stopped
 * publishing; it binds publishers. `quarantine`: commits that failed; it binds publishers, and agents for activation.
 *
 * Unlike reports, these are never read leniently as "nothing": a brake that cannot be read is on.
 */
export const hold = once(() =>
  z.object({
    ...said.shape,
    /** Ms since the epoch; null: until a person ends it. */
    end: z.number().nullable().default(null),
  }),
);
export type Hold = z.infer<ReturnType<typeof hold>>;

export const quarantined = once(() =>
  z.object({
    commitId: z.string().refine(isCommitId, 'is no commit id'),
    ...said.shape,
  }),
);
export type Quarantined = z.infer<ReturnType<typeof quarantined>>;

/** Newest first. */
export const quarantine = once(() => z.object({ commits: z.array(quarantined()) }));

/** The number of newest entries that are kept. An older commit that still fails will fail again and get back here. */
export const MAX_QUARANTINED = 200;

/** `unreadable` is not null if the content is neither empty nor in our format; the brake then counts as on. */
export interface Brake<T> {
  readonly value: T;
  readonly unreadable: string | null;
}

/** The last hold, even if it has ended: see inForce. Null: none. */
export function parseHold(data: Buffer): Brake<Hold | null> {
  if (data.length === 0) return { value: null, unreadable: null };
  const read = fromJson(hold(), data);
  if (read === null) return { value: null, unreadable: 'the hold znode holds something that is no hold' };
  return { value: read, unreadable: null };
}

/** The hold if it is in force at `now`; null if publishing is allowed. */
export const inForce = (value: Hold | null, now: number): Hold | null =>
  value === null || (value.end !== null && value.end <= now) ? null : value;

export function parseQuarantine(data: Buffer): Brake<readonly Quarantined[]> {
  if (data.length === 0) return { value: [], unreadable: null };
  const read = fromJson(quarantine(), data);
  if (read === null)
    return { value: [], unreadable: 'the quarantine znode holds something that is no list of commits' };
  return { value: read.commits, unreadable: null };
}

/** Null ends the hold. */
export const encodeHold = (value: Hold | null): Buffer => (value === null ? Buffer.alloc(0) : toJson(hold(), value));

export function encodeQuarantine(commits: readonly Quarantined[]): Buffer {
  if (commits.length === 0) return Buffer.alloc(0);
  return toJson(quarantine(), { commits: commits.slice(0, MAX_QUARANTINED) });
}
