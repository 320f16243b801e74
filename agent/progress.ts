import type { Failure } from '../runtime/errors.ts';
import type { Target } from '../schemas/target.ts';
import type { TargetVersion } from '../schemas/values.ts';
import type { Journal, Progress } from './journal.ts';

/**
 * A new target begins. Its count of attempts starts at nothing; but where the same release at the same place still owes
 * its activate command (a crash, a failure), it goes on owing it.
 */
export function begin(
  journal: Journal,
  target: Target,
  write: { targetVersion: TargetVersion; mzxid: bigint; mtime: number },
): Journal {
  const before = journal.progress;
  const same = before?.commitId === target.commitId && before.relativePath === target.relativePath;
  const owes = same && (before.activation === 'wanted' || before.activation === 'failed');
  return {
    ...journal,
    accepted: { targetVersion: write.targetVersion, mzxid: String(write.mzxid), mtime: write.mtime },
    progress: {
      targetVersion: write.targetVersion,
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
  return {
    ...journal,
    progress: { ...progress, attempts: progress.attempts + 1, lastFailure: failure, activation },
  };
}
