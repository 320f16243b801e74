import type { Failure } from '../../runtime/errors.ts';
import type { Swapped } from '../../schemas/records/cutover.ts';
import type { UnacknowledgedDrain } from '../../schemas/records/unacknowledged.ts';
import { MAX_OUTPUT_CHARACTERS } from '../../schemas/report.ts';
import type { JudgedTarget } from '../../schemas/target.ts';
import type { TargetVersion } from '../../schemas/values.ts';
import type { Journal, Progress, Reversal } from './journal.ts';
import { noteFailed, noteGivenUp, noteWell, repositoryOf } from './link-history.ts';
import { chooseBack } from './retention.ts';
import type { WantedTarget } from './wanted.ts';

/**
 * The transitions of the activation machine that journal.ts draws, as pure changes of the journal. Nothing else sets
 * `progress.activation`, `pendingActivation`, `gaveUp` or `reversal`; test/agent/state/activation.test.ts checks that.
 */

/**
 * A new target begins, with no attempts yet. If the link already shows its commit and the activation of that is pending
 * (after a crash, a failure, a newer target in between), it stays pending.
 */
export function beginTarget(
  journal: Journal,
  target: JudgedTarget,
  targetVersion: TargetVersion,
  write: { mzxid: bigint; mtime: number } | null,
  late = false,
): Journal {
  const { commitId, relativePath, gitfleet } = target;
  const shown = journal.links[relativePath] === commitId;
  const pending = shown && journal.pendingActivation[relativePath]?.commitId === commitId;
  return {
    ...journal,
    accepted: write ? accept(journal, targetVersion, write, late) : journal.accepted,
    progress: {
      targetVersion,
      commitId,
      relativePath,
      url: target.url ?? repositoryOf(journal, relativePath, commitId),
      deployment: gitfleet?.deployment,
      attempts: 0,
      lastFailure: null,
      activation: pending ? 'wanted' : 'none',
    },
  };
}

/** Whether the target was published while this agent was offline is noted once, when it is first seen. */
function accept(
  { accepted }: Journal,
  targetVersion: TargetVersion,
  { mzxid, mtime }: { mzxid: bigint; mtime: number },
  late: boolean,
): Journal['accepted'] {
  if (accepted?.targetVersion === targetVersion) return accepted;
  return { targetVersion, mzxid: String(mzxid), mtime, ...(late ? { late } : {}) };
}

/** The link is about to be swapped; after a crash from here on, the activate command still runs. */
export function intendActivation(journal: Journal, { commitId, relativePath }: JudgedTarget): Journal {
  const before = journal.links[relativePath] ?? null;
  const pending = withPending(journal, relativePath, { commitId, previous: before });
  const links = { ...journal.links, [relativePath]: before ?? commitId };
  return { ...pending, links, progress: at(journal.progress, 'wanted') };
}

/**
 * How this agent swapped at the instant of a cutover. A crash right after the swap loses it, which costs one
 * measurement.
 */
export function noteSwapped(journal: Journal, swapped: Swapped | undefined): Journal {
  const { progress } = journal;
  return progress && swapped ? { ...journal, progress: { ...progress, swapped } } : journal;
}

/** Which consumers did not acknowledge that this server left its services for this target. */
export function noteDrained(journal: Journal, unacknowledged: readonly UnacknowledgedDrain[]): Journal {
  const { progress } = journal;
  if (!progress || (unacknowledged.length === 0 && !progress.unacknowledged)) return journal;
  return { ...journal, progress: { ...progress, unacknowledged: [...unacknowledged] } };
}

/** The activate command succeeded; the health checks have not decided yet. */
export const activated = (journal: Journal): Journal => ({ ...journal, progress: at(journal.progress, 'activated') });

/** The target's release is shown, and nothing is left to do for it. */
export function wellActive(journal: Journal, { url, commitId, relativePath }: JudgedTarget): Journal {
  const proven = noteWell(journal, relativePath, commitId, url ?? repositoryOf(journal, relativePath, commitId));
  const done = at(journal.progress, 'done');
  return {
    ...withoutPending(proven, relativePath),
    links: { ...journal.links, [relativePath]: commitId },
    progress: done && { ...done, lastFailure: null },
  };
}

/** An action failed. Only a failure of activate or health, which come after the swap, sets the activation to failed. */
export function actionFailed(journal: Journal, failure: Failure, action: string): Journal {
  const { progress } = journal;
  if (!progress) return journal;
  const tried = { ...progress, attempts: progress.attempts + 1, lastFailure: failure };
  if (action !== 'activate' && action !== 'health') return { ...journal, progress: tried };
  return { ...noteFailed(journal, progress.relativePath, progress.commitId), progress: at(tried, 'failed') };
}

/** The release failed here for good: notes what to revert, and that it is not tried again at this targetVersion. */
export function givenUp(
  journal: Journal,
  { target, targetVersion }: WantedTarget,
  step: string,
  failure: Failure,
  output: string,
): Journal {
  const { commitId, relativePath, gitfleet } = target;
  const shown = journal.links[relativePath] === commitId;
  const back = shown ? chooseBack(journal, relativePath, commitId) : null;
  const [deployment, { code }] = [gitfleet?.deployment ?? null, failure];
  return {
    ...noteGivenUp(journal, commitId),
    gaveUp: { targetVersion, commitId, relativePath, failure, output: output.slice(-MAX_OUTPUT_CHARACTERS) },
    reversal: { commitId, relativePath, targetVersion, deployment, step, code, back },
  };
}

/** The link is about to go back to a good release; after a crash from here on, its activate command still runs. */
export const intendReturn = (journal: Journal, { relativePath, commitId }: Reversal, back: string): Journal =>
  withPending(journal, relativePath, { commitId: back, previous: commitId });

/** The release that the link went back to has been activated. */
export const returned = (journal: Journal, { relativePath }: Reversal): Journal =>
  withoutPending(journal, relativePath);

/**
 * The revert has ended. The reason of the failure now begins with what this server shows, and lists what else failed:
 * that is what people need first.
 */
export function reverted(journal: Journal, reversal: Reversal, troubles: readonly string[]): Journal {
  const { gaveUp } = journal;
  if (!gaveUp) return { ...journal, reversal: null };
  const reason = [`${showsNow(reversal)}: ${gaveUp.failure.reason}`, ...troubles].join('; ');
  return { ...journal, reversal: null, gaveUp: { ...gaveUp, failure: { ...gaveUp.failure, reason } } };
}

function showsNow({ back, step }: Reversal): string {
  if (back) return `back on ${back.slice(0, 12)}`;
  const swapped = step !== 'prepare' && step !== 'pre-activate';
  return swapped ? 'still shown, nothing proven to go back to' : 'not shown';
}

const at = <T extends Progress | null>(progress: T, activation: Progress['activation']): T =>
  progress && { ...progress, activation };

function withPending(journal: Journal, path: string, pending: Journal['pendingActivation'][string]): Journal {
  return { ...journal, pendingActivation: { ...journal.pendingActivation, [path]: pending } };
}

function withoutPending(journal: Journal, path: string): Journal {
  const { [path]: _activated, ...pendingActivation } = journal.pendingActivation;
  return { ...journal, pendingActivation };
}
