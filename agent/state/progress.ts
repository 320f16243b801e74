import type { Failure } from '../../runtime/errors.ts';
import { MAX_OUTPUT_CHARACTERS } from '../../schemas/report.ts';
import { type JudgedTarget, parseKept } from '../../schemas/target.ts';
import type { TargetVersion } from '../../schemas/values.ts';
import type { Journal, Progress } from './journal.ts';
import { noteFailed, noteWell, repositoryOf } from './link-history.ts';
import { chooseBack } from './retention.ts';
import type { Wanted, WantedTarget } from './wanted.ts';

/** Whether the journal's progress is about this target; an override is another one at the same targetVersion. */
export function isBegun(journal: Journal, targetVersion: TargetVersion, target: JudgedTarget): boolean {
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
  target: JudgedTarget,
  targetVersion: TargetVersion,
  write: { mzxid: bigint; mtime: number } | null,
  late = false,
): Journal {
  const { commitId, relativePath } = target;
  const owes = journal.owed[relativePath]?.commitId === commitId && journal.links[relativePath] === commitId;
  return {
    ...journal,
    accepted: write ? accept(journal, targetVersion, write, late) : journal.accepted,
    progress: {
      targetVersion,
      commitId: target.commitId,
      relativePath: target.relativePath,
      url: target.url ?? repositoryOf(journal, relativePath, commitId),
      deployment: target.gitfleet?.deployment,
      attempts: 0,
      lastFailure: null,
      activation: owes ? 'wanted' : 'none',
    },
  };
}

/** Whether it came too late is said once, when the target is first seen. */
function accept(
  { accepted }: Journal,
  targetVersion: TargetVersion,
  { mzxid, mtime }: { mzxid: bigint; mtime: number },
  late: boolean,
): Journal['accepted'] {
  if (accepted?.targetVersion === targetVersion) return accepted;
  return { targetVersion, mzxid: String(mzxid), mtime, ...(late ? { late } : {}) };
}

/** What the fleet's newest target is refused for, until one is not. Returns the same object where that is known. */
export function noteRefusal(journal: Journal, heard: Wanted): Journal {
  const { refused } = journal;
  if (heard.kind === 'nothing') return journal;
  if (heard.kind === 'target') return refused ? { ...journal, refused: null } : journal;
  const { targetVersion, failure } = heard;
  // By its reason too: other settings may refuse the same target for something else.
  const known = refused?.targetVersion === targetVersion && refused.failure.code === failure.code;
  if (known && refused.failure.reason === failure.reason) return journal;
  return { ...journal, refused: { targetVersion, failure } };
}

/** A step failed. Nothing of what runs changes by it. */
export function fail(journal: Journal, failure: Failure, step: string): Journal {
  const { progress } = journal;
  if (!progress) return journal;
  const gone = step === 'activate' || step === 'health';
  const activation: Progress['activation'] = gone ? 'failed' : progress.activation;
  return {
    ...(gone ? noteFailed(journal, progress.relativePath, progress.commitId) : journal),
    progress: { ...progress, attempts: progress.attempts + 1, lastFailure: failure, activation },
  };
}

/** Whether the link was swapped, and its activation or health has not been decided. */
export function isHalfway({ progress, links }: Journal): boolean {
  if (progress?.activation !== 'wanted' && progress?.activation !== 'activated') return false;
  return links[progress.relativePath] === progress.commitId;
}

/** Whether what was begun is shown, and nothing is left to do for it. */
export function isDone({ progress, links }: Journal): boolean {
  return progress?.activation === 'done' && links[progress.relativePath] === progress.commitId;
}

/** What is left half way can be gone on with while nobody can be asked what is wanted: nothing is fetched for it. */
export function unfinished(journal: Journal): WantedTarget | null {
  const { progress } = journal;
  if (!progress || !isHalfway(journal)) return null;
  const { targetVersion, deployment } = progress;
  const kept = parseKept(progress, deployment === undefined ? undefined : { deployment });
  return kept.ok ? { kind: 'target', targetVersion: targetVersion as TargetVersion, target: kept.target } : null;
}

/** The link is about to be swapped; a crash from here on still runs the activate command. */
export function intendActivation(journal: Journal, { commitId, relativePath }: JudgedTarget): Journal {
  const before = journal.links[relativePath] ?? null;
  return {
    ...journal,
    links: { ...journal.links, [relativePath]: before ?? commitId },
    owed: { ...journal.owed, [relativePath]: { commitId, previous: before } },
    progress: journal.progress && { ...journal.progress, activation: 'wanted' },
  };
}

/** The target's release is shown, and nothing is left to do. */
export function endWell(journal: Journal, { url, commitId, relativePath }: JudgedTarget): Journal {
  const proven = noteWell(journal, relativePath, commitId, url ?? repositoryOf(journal, relativePath, commitId));
  const { [relativePath]: _paid, ...owed } = journal.owed;
  return {
    ...proven,
    owed,
    links: { ...journal.links, [relativePath]: commitId },
    progress: journal.progress && { ...journal.progress, activation: 'done', lastFailure: null },
  };
}

/** The release failed here for good: what is to be done about it, and that it is not tried again at this targetVersion. */
export function giveUp(
  journal: Journal,
  { target, targetVersion }: WantedTarget,
  step: string,
  failure: Failure,
  output: string,
): Journal {
  const { commitId, relativePath } = target;
  const shown = journal.links[relativePath] === commitId;
  return {
    ...journal,
    gaveUp: { targetVersion, commitId, relativePath, failure, output: output.slice(-MAX_OUTPUT_CHARACTERS) },
    reversal: {
      ...{ commitId, relativePath, targetVersion, step, code: failure.code },
      deployment: target.gitfleet?.deployment ?? null,
      back: shown ? chooseBack(journal, relativePath, commitId) : null,
    },
  };
}

/** Why this very target is not tried any more; null: nothing speaks against it. */
export function gaveUpOn(journal: Journal, { target, targetVersion }: WantedTarget): Journal['gaveUp'] {
  const { gaveUp } = journal;
  const same = gaveUp?.targetVersion === targetVersion && gaveUp.commitId === target.commitId;
  return same && gaveUp.relativePath === target.relativePath ? gaveUp : null;
}
