import { commandOf, type ReleaseSteps, type StepName } from '../../schemas/steps.ts';
import { type Layout, linkOf, releaseOf } from '../disk/layout.ts';
import type { Journal } from '../state/journal.ts';
import type { WantedTarget } from '../state/wanted.ts';
import type { StepFacts, StepRunner } from './runner.ts';

export interface StepParts {
  readonly layout: Layout;
  readonly journal: () => Journal;
  readonly steps: StepRunner;
  /** The steps for the release at this path. @throws FleetError RELEASE_FILE. */
  readonly stepsOf: (release: string) => Promise<ReleaseSteps>;
}

/** Runs the step if there is one. @throws StepFailure, and RELEASE_FILE. */
export async function runStep(
  parts: StepParts,
  name: StepName,
  wanted: WantedTarget,
  signal: AbortSignal,
): Promise<void> {
  const facts = factsOf(parts, wanted);
  const command = commandOf(await parts.stepsOf(facts.release), name);
  await parts.steps.run(name, command, facts, signal);
}

/** The facts for a step of this target. */
export function factsOf(
  { layout, journal }: Pick<StepParts, 'layout' | 'journal'>,
  { target, targetVersion }: WantedTarget,
): StepFacts {
  const { commitId, relativePath, gitfleet } = target;
  const { pendingActivation, links } = journal();
  // Before the swap, the link shows the commit that will be the previous one.
  const previous = links[relativePath] === commitId ? pendingActivation[relativePath]?.previous : links[relativePath];
  return {
    ...{ commitId, targetVersion, previousCommitId: previous ?? null },
    release: releaseOf(layout, commitId),
    link: linkOf(layout, relativePath),
    deployment: gitfleet?.deployment ?? null,
  };
}
