import { type JudgedTarget, parseKept } from '../../schemas/target.ts';
import type { TargetVersion } from '../../schemas/values.ts';
import type { Journal } from './journal.ts';
import type { Wanted, WantedTarget } from './wanted.ts';

/** How far the agent is with the journal's target, for the code that decides. The transitions are in activation.ts. */

/** Whether the journal's progress is about this target. An override is another target at the same targetVersion. */
export function isBegun(journal: Journal, targetVersion: TargetVersion, target: JudgedTarget): boolean {
  const { progress } = journal;
  if (progress?.targetVersion !== targetVersion) return false;
  return progress.commitId === target.commitId && progress.relativePath === target.relativePath;
}

/**
 * Notes why the fleet's newest target is refused, until one is not. Returns the same object if that is already known.
 */
export function noteRefusal(journal: Journal, heard: Wanted): Journal {
  const { refused } = journal;
  if (heard.kind === 'nothing') return journal;
  if (heard.kind === 'target') return refused ? { ...journal, refused: null } : journal;
  const { targetVersion, failure } = heard;
  // Compares the reason too: other settings may refuse the same target for another one.
  const known = refused?.targetVersion === targetVersion && refused.failure.code === failure.code;
  if (known && refused.failure.reason === failure.reason) return journal;
  return { ...journal, refused: { targetVersion, failure } };
}

/** Whether the link was swapped while its activation or health is still undecided. */
export function isHalfway({ progress, links }: Journal): boolean {
  if (progress?.activation !== 'wanted' && progress?.activation !== 'activated') return false;
  return links[progress.relativePath] === progress.commitId;
}

/** Whether the target that was begun is shown, and nothing is left to do for it. */
export function isDone({ progress, links }: Journal): boolean {
  return progress?.activation === 'done' && links[progress.relativePath] === progress.commitId;
}

/** What is halfway done can be finished without knowing the current target: nothing is fetched for it. */
export function unfinished(journal: Journal): WantedTarget | null {
  const { progress } = journal;
  if (!progress || !isHalfway(journal)) return null;
  const { targetVersion, deployment } = progress;
  const kept = parseKept(progress, deployment === undefined ? undefined : { deployment });
  return kept.ok ? { kind: 'target', targetVersion: targetVersion as TargetVersion, target: kept.target } : null;
}

/** Why exactly this target is not tried again; null: it was not given up. */
export function gaveUpOn(journal: Journal, { target, targetVersion }: WantedTarget): Journal['gaveUp'] {
  const { gaveUp } = journal;
  const same = gaveUp?.targetVersion === targetVersion && gaveUp.commitId === target.commitId;
  return same && gaveUp.relativePath === target.relativePath ? gaveUp : null;
}
