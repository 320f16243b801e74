import { clean } from '../runtime/safe-text.ts';
import { encodeQuarantine, type Quarantined } from '../schemas/hold.ts';
import type { CommitId } from '../schemas/values.ts';

/*
 * What the list of quarantined commits becomes. Pure: who calls has read it, and writes what comes out with the
 * version of what it read.
 */

/** A commit in quarantine as it is written: words from outside are cleaned and cut. */
export function quarantineEntry(
  commitId: CommitId,
  word: { readonly by: string; readonly reason: string },
  at: number,
): Quarantined {
  return { commitId, reason: clean(word.reason, 500), by: clean(word.by, 200), at };
}

/** What of a publish concerns the quarantine. */
interface QuarantineChange {
  readonly target: { readonly commitId: CommitId };
  readonly by: string;
  readonly force?: boolean;
  /** The commits of the quarantine that its own one contains. */
  readonly contained?: readonly CommitId[];
  readonly quarantines?: { readonly commitId: CommitId; readonly reason: string } | null;
}

/**
 * What a publish changes about the quarantine: by force it lifts that of its own commit and of those that it contains,
 * and a rollback puts in what it leaves, where the first reason stands. `data` is null where nothing changes; `lifted`
 * is the one that the record names: its own, else the newest.
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
