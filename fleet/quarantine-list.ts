import { clean } from '../runtime/safe-text.ts';
import { encodeQuarantine, type Quarantined } from '../schemas/hold.ts';
import type { CommitId } from '../schemas/values.ts';

/*
 * Pure: changes to the list of quarantined commits. The caller has read the list, and writes the result with the
 * version that it read.
 */

/** A quarantine entry, with text from outside cleaned and cut. */
export function quarantineEntry(
  commitId: CommitId,
  word: { readonly by: string; readonly reason: string },
  at: number,
): Quarantined {
  return { commitId, reason: clean(word.reason, 500), by: clean(word.by, 200), at };
}

/** The part of a publish that concerns the quarantine. */
interface QuarantineChange {
  readonly target: { readonly commitId: CommitId };
  readonly by: string;
  readonly force?: boolean;
  /** The commits in quarantine that the target's commit contains. */
  readonly contained?: readonly CommitId[];
  readonly quarantines?: { readonly commitId: CommitId; readonly reason: string } | null;
}

/**
 * How a publish changes the quarantine. With `force` it lifts the quarantine of its own commit and of those that it
 * contains; a rollback adds the commit that it leaves, unless that already has an entry. `data` is null if nothing
 * changes. `lifted` is the entry that the record names: its own commit's, or else the newest.
 */
export function quarantineAfter(
  commits: readonly Quarantined[],
  { target, by, force, contained = [], quarantines }: QuarantineChange,
  at: number,
): { data: Buffer | null; lifted: Quarantined | null; added: Quarantined | null } {
  const isOwn = ({ commitId }: Quarantined) => commitId === target.commitId;
  const lifts = force ? commits.filter((each) => isOwn(each) || contained.includes(each.commitId)) : [];
  const lifted = lifts.find(isOwn) ?? lifts[0] ?? null;
  const left = quarantines ? quarantineEntry(quarantines.commitId, { by, reason: quarantines.reason }, at) : null;
  const added = left && commits.every((each) => each.commitId !== left.commitId) ? left : null;
  if (!lifted && !added) return { data: null, lifted: null, added };
  const others = commits.filter((each) => !lifts.includes(each));
  return { data: encodeQuarantine(added ? [added, ...others] : others), lifted, added };
}
