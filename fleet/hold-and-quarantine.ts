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
 * Operators' changes to `hold` and `quarantine`. Each write names the version that was read; after another client's
 * write the change is decided again, so that nothing is overwritten unseen. Each is idempotent, and a change leaves an
 * audit record in the same transaction.
 */
export type SteeringParts = AuditParts;

interface Held {
  readonly hold: Hold;
  /** False: the same hold was already in force. */
  readonly changed: boolean;
}

/**
 * Stops publishing. A person's own hold is changed and keeps its beginning.
 * @param end ms since the epoch; null: until gitfleet unhold; `as it is`: the end of the person's current hold, if any.
 * @throws FleetError HOLD if another person holds, or the znode is unreadable.
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

/** Ends a hold, even another person's or an unreadable one. @returns what was ended; null if nothing was held. */
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

/** Puts a commit in quarantine; an earlier reason stands. @throws FleetError QUARANTINED if the znode is unreadable. */
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

/** Takes a commit out of quarantine. @returns its entry; null if there was none. */
export async function unquarantine(parts: SteeringParts, commitId: CommitId, word: Word): Promise<Quarantined | null> {
  return await change(parts, parts.znodes.quarantine, (content) => {
    const commits = quarantinedIn(parseQuarantine(content));
    const there = commits.find((each) => each.commitId === commitId) ?? null;
    const data = there && encodeQuarantine(commits.filter((each) => each !== there));
    return { value: there, data, act: { kind: 'unquarantine', ...word, what: commitId } };
  });
}

/** Reads, decides, and writes the decision with its audit record. `data` is null if there is nothing to write. */
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
