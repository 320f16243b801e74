import type { Failure } from '../runtime/errors.ts';
import type { Target } from '../schemas/target.ts';
import type { TargetVersion } from '../schemas/values.ts';
import type { Journal, Progress } from './journal.ts';

/** Whether the journal's progress is about this target; an override is another one at the same targetVersion. */
export function isBegun(journal: Journal, targetVersion: TargetVersion, target: Target): boolean {
  const { progress } = journal;
  if (progress?.targetVersion !== targetVersion) return false;
  return progress.commitId === target.commitId && progress.relativePath === target.relativePath;
}

/**
 * A new target begins. Its count of attempts starts at nothing; but where the link shows the commit already and still
 * owes its activate command (a crash, a failure, a newer target in between), it goes on owing it.
 */
export function begin(
  journal: Journal,
  target: Target,
  targetVersion: TargetVersion,
  write: { mzxid: bigint; mtime: number } | null,
): Journal {
  const { commitId, relativePath } = target;
  const owes = journal.owed[relativePath]?.commitId === commitId && journal.links[relativePath] === commitId;
  return {
    ...journal,
    accepted: write ? { targetVersion, mzxid: String(write.mzxid), mtime: write.mtime } : journal.accepted,
    progress: {
      targetVersion,
      commitId: target.commitId,
      relativePath: target.relativePath,
      attempts: 0,
      lastFailure: null,
      activation: owes ? 'wanted' : 'none',
    },
  };
}

/** A step failed. Nothing of what runs changes by it. */
export function fail(journal: Journal, failure: Failure, step: string): Journal {
  const { progress } = journal;
  if (!progress) return journal;
  const activation: Progress['activation'] = step === 'activate' ? 'failed' : progress.activation;
  const release = step === 'activate' ? journal.releases[progress.commitId] : undefined;
  return {
    ...journal,
    // What ended well once and fails now is nothing to return to.
    ...(release ? { releases: { ...journal.releases, [progress.commitId]: { ...release, endedWell: false } } } : {}),
    progress: { ...progress, attempts: progress.attempts + 1, lastFailure: failure, activation },
  };
}
