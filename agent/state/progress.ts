import { type JudgedTarget, parseKept } from '../../schemas/target.ts';
import type { TargetVersion } from '../../schemas/values.ts';
import type { Journal } from './journal.ts';
import type { Wanted, WantedTarget } from './wanted.ts';

/** How far the journal's target is: what decides asks here. The transitions between these states: activation.ts. */

/** Whether the journal's progress is about this target; an override is another one at the same targetVersion. */
export function isBegun(journal: Journal, targetVersion: TargetVersion, target: JudgedTarget): boolean {
  const { progress } = journal;
  if (progress?.targetVersion !== targetVersion) return false;
  return progress.commitId === target.commitId && progress.relativePath === target.relativePath;
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

/** Whether the link was swapped, and its activation or health has not been decided. */
export function isHalfway({ progress, links }: Journal): boolean {
  if (progress?.activation !== 'wanted' && progress?.activation !== 'activated') return false;
  return links[progress.relativePath] === progress.commitId;
}

/** Whether what was begun is shown, and nothing is left to do for it. */
export function isDone({ progress, links }: Journal): boolean {
  return progress?.activation === 'done' && links[progress.relativePath] === progress.commitId;
}

/** What is left half way can be finished without knowing what is wanted now: nothing is fetched for it. */
export function unfinished(journal: Journal): WantedTarget | null {
  const { progress } = journal;
  if (!progress || !isHalfway(journal)) return null;
  const { targetVersion, deployment } = progress;
  const kept = parseKept(progress, deployment === undefined ? undefined : { deployment });
  return kept.ok ? { kind: 'target', targetVersion: targetVersion as TargetVersion, target: kept.target } : null;
}

/** Why this very target is not tried again; null: it was not given up. */
export function gaveUpOn(journal: Journal, { target, targetVersion }: WantedTarget): Journal['gaveUp'] {
  const { gaveUp } = journal;
  const same = gaveUp?.targetVersion === targetVersion && gaveUp.commitId === target.commitId;
  return same && gaveUp.relativePath === target.relativePath ? gaveUp : null;
}
