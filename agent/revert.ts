import type { Clock } from '../runtime/clock.ts';
import { classify, FleetError } from '../runtime/errors.ts';
import type { Logger } from '../runtime/log.ts';
import { unacknowledgedDrains } from '../schemas/records/unacknowledged.ts';
import { commandOf, type StepName } from '../schemas/steps.ts';
import { type KeptTarget, parseKept } from '../schemas/target.ts';
import { type Layout, linkOf, releaseOf } from './disk/layout.ts';
import { swapLink } from './disk/releases.ts';
import type { Rotation } from './services/rotation.ts';
import { intendReturn, noteDrained, returned, reverted } from './state/activation.ts';
import type { Failpoint } from './state/failpoints.ts';
import type { Journal, Reversal } from './state/journal.ts';
import { noteShown } from './state/link-history.ts';
import { chooseBack } from './state/retention.ts';
import type { StepParts } from './steps/run.ts';
import type { StepFacts } from './steps/runner.ts';

interface RevertParts extends StepParts {
  readonly layout: Layout;
  readonly clock: Clock;
  readonly log: Logger;
  readonly failpoint: Failpoint;
  readonly rotation: Rotation;
  readonly remember: (change: (journal: Journal) => Journal) => Promise<void>;
}

/**
 * What follows the failure of a step or a health check, without network and before anything else: the link goes back to
 * the last good release, which is activated again; on-failure runs last. After a crash each part is repeated. What
 * fails here is added to the reason of the failure; nothing more can be done about it.
 */
export async function revert(parts: RevertParts, intended: Reversal, stop: AbortSignal): Promise<void> {
  const failed = onTheDisk(parts.journal(), intended);
  const troubles: string[] = [];
  const attempt = async (name: StepName, commitId: string) => {
    try {
      const facts = factsOf(parts, failed, commitId);
      await parts.steps.run(name, commandOf(await parts.stepsOf(facts.release), name), facts, stop);
      return true;
    } catch (error) {
      stop.throwIfAborted();
      const { code, message } = classify(error);
      parts.log.error({ step: name, commitId, code, reason: message }, `${name} failed after a failure`);
      troubles.push(`${name} of ${commitId.slice(0, 12)} failed too: ${message.slice(0, 300)}`);
      return false;
    }
  };
  if (failed.back !== null) {
    await parts.rotation.leaveToReturn(factsOf(parts, failed, failed.back), stop);
    await swapBack(parts, failed, failed.back);
    await attempt('on-rollback', failed.back);
    const well = await attempt('activate', failed.back);
    if (well) await parts.remember((journal) => returned(journal, failed));
  }
  await attempt('on-failure', failed.commitId);
  await parts.failpoint('revert.ended');
  await parts.remember((journal) => reverted(journal, failed, troubles));
  await parts.failpoint('revert.remembered');
}

/** A release that was deleted since cannot be shown. The journal was brought to what the disk shows right before. */
function onTheDisk(journal: Journal, failed: Reversal): Reversal {
  if (failed.back === null || failed.back in journal.releases) return failed;
  return { ...failed, back: chooseBack(journal, failed.relativePath, failed.commitId) };
}

async function swapBack(parts: RevertParts, failed: Reversal, back: string): Promise<void> {
  const { relativePath: path, commitId } = keptBy(failed, back);
  const drains = unacknowledgedDrains(parts.rotation.missed());
  await parts.remember((journal) => intendReturn(noteDrained(journal, drains), failed, back));
  await parts.failpoint('back.intended');
  await swapLink(parts.layout, path, commitId, parts.failpoint);
  await parts.remember((journal) => noteShown(journal, path, back, parts.clock.now()));
  parts.log.warn({ commitId: back, failed: failed.commitId, code: failed.code }, 'swapped back');
  await parts.failpoint('back.remembered');
}

function factsOf(parts: RevertParts, failed: Reversal, commitId: string): StepFacts {
  return {
    ...{ commitId, targetVersion: failed.targetVersion, deployment: failed.deployment },
    previousCommitId: commitId === failed.commitId ? failed.back : failed.commitId,
    release: releaseOf(parts.layout, commitId),
    link: linkOf(parts.layout, keptBy(failed, commitId).relativePath),
    failed: { step: failed.step, commitId: failed.commitId, code: failed.code },
  };
}

/** @throws FleetError COMMIT, PATH. */
function keptBy({ relativePath }: Reversal, commitId: string): KeptTarget {
  const kept = parseKept({ commitId, relativePath });
  if (!kept.ok) throw new FleetError(kept.failure);
  return kept.target;
}
