import { clean } from '../runtime/safe-text.ts';
import {
  encodeHold,
  encodeQuarantine,
  type Hold,
  inForce,
  parseHold,
  parseQuarantine,
  type Quarantined,
} from '../schemas/hold.ts';
import { formatInstant } from '../schemas/text/instant.ts';
import type { CommitId } from '../schemas/values.ts';
import { heldNow, holdRefusal, quarantinedIn } from './admission.ts';
import { type Act, type AuditParts, actAudited, type Word } from './audit.ts';
import { quarantineEntry } from './quarantine-list.ts';
import { appMissing } from './shared-state.ts';

/**
 * A person's words about `hold` and `quarantine`. Each is a write that names the version it was decided on: after
 * another client's write we decide again, so that nothing is overwritten unseen. Each is idempotent, and what changes
 * something leaves an audit record in the same transaction.
 */
export type SteeringParts = AuditParts;

interface Held {
  readonly hold: Hold;
  /** False: it was held so already. */
  readonly changed: boolean;
}

/**
 * Stops publishing. One's own hold is changed and keeps its beginning.
 * @param end ms since the epoch; null: until gitfleet unhold; `as it is`: that of one's hold in force, else null.
 * @throws FleetError HOLD where somebody else holds it, or the znode is not readable.
 */
export async function setHold(
  parts: SteeringParts,
  wanted: { readonly by: string; readonly reason: string; readonly end: number | null | 'as it is' },
): Promise<Held> {
  const by = clean(wanted.by, 200);
  return await change(parts, parts.znodes.hold, (data) => {
    const held = heldNow(parseHold(data), parts.now());
    if (held && held.by !== by) throw holdRefusal(held);
    const at = held?.at ?? parts.now();
    const end = wanted.end === 'as it is' ? (held?.end ?? null) : wanted.end;
    const value = { by, reason: clean(wanted.reason, 500), at, end };
    const same = held !== null && held.reason === value.reason && held.end === value.end;
    const what = value.end === null ? 'until gitfleet unhold' : `until ${formatInstant(value.end)}`;
    const act = { kind: 'hold', by, reason: value.reason, what } as const;
    return { value: { hold: value, changed: !same }, data: same ? null : encodeHold(value), act };
  });
}

/** Ends a hold, another person's and an unreadable one too. Resolves to what was ended; null where nothing was held. */
export async function unhold(parts: SteeringParts, word: Word): Promise<Hold | 'unreadable' | null> {
  return await change(parts, parts.znodes.hold, (data) => {
    const { value, unreadable } = parseHold(data);
    return {
      value: unreadable === null ? inForce(value, parts.now()) : 'unreadable',
      data: data.length === 0 ? null : encodeHold(null),
      act: { kind: 'unhold', ...word, what: value ? `held by ${value.by}: ${value.reason}` : '' },
    };
  });
}

/** Puts a commit in quarantine; the first reason stands. @throws FleetError QUARANTINED where the znode is unreadable. */
export async function quarantineCommit(
  parts: SteeringParts,
  commitId: CommitId,
  wanted: { readonly by: string; readonly reason: string },
): Promise<{ readonly entry: Quarantined; readonly changed: boolean }> {
  const entry = quarantineEntry(commitId, wanted, parts.now());
  return await change<{ entry: Quarantined; changed: boolean }>(parts, parts.znodes.quarantine, (data) => {
    const commits = quarantinedIn(parseQuarantine(data));
    const there = commits.find((each) => each.commitId === commitId);
    if (there) return { value: { entry: there, changed: false }, data: null, act: null };
    const act = { kind: 'quarantine', by: entry.by, reason: entry.reason, what: commitId } as const;
    return { value: { entry, changed: true }, data: encodeQuarantine([entry, ...commits]), act };
  });
}

/** Takes a commit out of quarantine. Resolves to its entry; null where there was none. */
export async function unquarantine(parts: SteeringParts, commitId: CommitId, word: Word): Promise<Quarantined | null> {
  return await change(parts, parts.znodes.quarantine, (content) => {
    const commits = quarantinedIn(parseQuarantine(content));
    const there = commits.find((each) => each.commitId === commitId) ?? null;
    const data = there && encodeQuarantine(commits.filter((each) => each !== there));
    return { value: there, data, act: { kind: 'unquarantine', ...word, what: commitId } };
  });
}

/** Reads, decides, writes what was decided with its audit record. `data` null: nothing to write. */
async function change<T>(
  parts: SteeringParts,
  path: string,
  decide: (data: Buffer) => { value: T; data: Buffer | null; act: Act | null },
): Promise<T> {
  return await actAudited(parts, async () => {
    const node = await parts.session.get(path);
    if (!node) throw appMissing(parts.znodes.app);
    const { value, data, act } = decide(node.data);
    if (data === null) return { value, operations: [], act: null };
    return { value, operations: [{ op: 'set', path, data, version: node.stat.version }], act };
  });
}
