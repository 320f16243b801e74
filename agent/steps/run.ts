import { commandOf, type StepName } from '../../schemas/steps.ts';
import type { ApplyParts } from '../apply.ts';
import { linkOf, releaseOf } from '../disk/layout.ts';
import type { WantedTarget } from '../state/wanted.ts';
import type { StepFacts } from './runner.ts';

/** Runs the step where there is one. @throws StepFailure, and RELEASE_FILE. */
export async function runStep(
  parts: ApplyParts,
  name: StepName,
  wanted: WantedTarget,
  signal: AbortSignal,
): Promise<void> {
  const facts = factsOf(parts, wanted);
  const command = commandOf(await parts.stepsOf(facts.release), name);
  await parts.steps.run(name, command, facts, signal);
}

/** What a step of this target is told. */
export function factsOf(
  { layout, journal }: Pick<ApplyParts, 'layout' | 'journal'>,
  { target, targetVersion }: WantedTarget,
): StepFacts {
  const { commitId, relativePath, gitfleet } = target;
  const { pendingActivation, links } = journal();
  // Before the swap the link shows what will be the previous one.
  const previous = links[relativePath] === commitId ? pendingActivation[relativePath]?.previous : links[relativePath];
  return {
    ...{ commitId, targetVersion, previousCommitId: previous ?? null },
    release: releaseOf(layout, commitId),
    link: linkOf(layout, relativePath),
    deployment: gitfleet?.deployment ?? null,
  };
}
