import type { GitSpare } from '../git/open-spare.ts';
import type { GitStore } from '../git/open-store.ts';
import type { Clock } from '../runtime/clock.ts';
import { FleetError } from '../runtime/errors.ts';
import type { Logger } from '../runtime/log.ts';
import { commandOf, type ReleaseSteps, type StepName } from '../schemas/steps.ts';
import type { CommitId } from '../schemas/values.ts';
import type { Failpoint } from './failpoints.ts';
import type { TakeOriginTurn } from './fetch-lease.ts';
import { awaitHealth } from './health.ts';
import type { Journal } from './journal.ts';
import { linkOf, type Places, releaseOf } from './place.ts';
import type { Doing, WantedTarget } from './plan.ts';
import type { Probe } from './probe.ts';
import { endWell, wantActivation } from './progress.ts';
import { patternsOf } from './release-steps.ts';
import { swapLink } from './releases.ts';
import { linkShared } from './shared-paths.ts';
import { knowRelease, showRelease } from './shown.ts';
import type { StepFacts, StepRunner } from './step-runner.ts';

export interface ApplyParts {
  readonly places: Places;
  readonly store: GitStore;
  readonly spare: GitSpare;
  readonly clock: Clock;
  readonly log: Logger;
  readonly steps: StepRunner;
  readonly probe: Probe;
  /** What is done with the release at this path. @throws FleetError RELEASE_FILE. */
  readonly stepsOf: (release: string) => Promise<ReleaseSteps>;
  readonly preparation: string;
  /** Patterns of what steps may make inside any release: neither drift nor cleaned. */
  readonly generated: readonly string[];
  readonly failpoint: Failpoint;
  readonly originTurn: TakeOriginTurn;
  /** The journal as it is, and its durable replacement. */
  readonly journal: () => Journal;
  readonly remember: (change: (journal: Journal) => Journal) => Promise<void>;
  /** Asks ZooKeeper once more, right before the swap, whether this is still wanted. @throws FleetError when not. */
  readonly confirm: (wanted: WantedTarget, signal: AbortSignal) => Promise<void>;
}

/**
 * Performs one step and decides nothing. `turn` fires when a newer target arrives, `stop` at the end of this process:
 * from pre-activate to the end of activate only that interrupts, and a swap is never cut in half.
 */
export async function apply(
  parts: ApplyParts,
  step: Doing,
  wanted: WantedTarget,
  turn: AbortSignal,
  stop: AbortSignal,
): Promise<void> {
  const { spare, places } = parts;
  const { commitId } = wanted.target;
  switch (step) {
    case 'fetch':
      await fetch(parts, wanted, turn);
      return;
    case 'write':
      await spare.write(commitId, turn);
      await spare.verify(commitId, turn);
      return;
    case 'keep':
      await parts.remember((journal) => knowRelease(journal, commitId, parts.clock.now()));
      await parts.failpoint('keep.remembered');
      await spare.moveTo(releaseOf(places, commitId));
      return;
    case 'check':
      await checkKept(parts, commitId, turn);
      return;
    case 'prepare':
      await prepare(parts, wanted, turn);
      return;
    case 'swap':
      // A person on this server needs no leave from ZooKeeper, which may be what is broken.
      if (!wanted.override) await parts.confirm(wanted, turn);
      await runStep(parts, 'pre-activate', wanted, stop);
      await parts.failpoint('pre-activate.ended');
      await swap(parts, wanted);
      return;
    case 'activate':
      await activate(parts, wanted, stop);
      return;
    case 'health':
      await health(parts, wanted, turn);
      return;
    case 'settle':
      await parts.remember((journal) => endWell(journal, wanted.target));
      return;
  }
}

async function fetch({ store, originTurn }: ApplyParts, wanted: WantedTarget, signal: AbortSignal): Promise<void> {
  const { url, commitId, gitfleet } = wanted.target;
  const turn = await originTurn(signal);
  try {
    await store.fetch({ url, commitId, ref: gitfleet?.ref }, signal);
  } finally {
    void turn.release();
  }
}

/**
 * A kept release is shown (again) only if its files are the commit's. Files that somebody changed are put right in place,
 * since running processes may still read there; what is not of the commit stays, and is reported by the inspection.
 */
async function checkKept(parts: ApplyParts, commitId: CommitId, signal: AbortSignal): Promise<void> {
  const release = releaseOf(parts.places, commitId);
  await parts.store.attach(release, commitId);
  const except = parts.journal().releases[commitId]?.generated ?? [];
  const wrong = await wrongFiles(parts, commitId, except, signal);
  if (wrong.length === 0) return;
  parts.log.warn({ commitId, drift: wrong }, 'a kept release is not its commit any more: putting it right');
  await parts.store.putRight(release, commitId, signal, null);
  const still = await wrongFiles(parts, commitId, except, signal);
  if (still.length === 0) return;
  throw new FleetError({
    code: 'TREE_MISMATCH',
    reason: `the kept release of ${commitId.slice(0, 12)} cannot be made its commit: ${still.slice(0, 5).join(', ')}`,
    hint: `something writes into ${release} again and again; stop it, the agent tries again by itself`,
    next: 'retry',
  });
}

async function wrongFiles(parts: ApplyParts, commitId: CommitId, except: readonly string[], signal: AbortSignal) {
  const release = releaseOf(parts.places, commitId);
  const drift = await parts.store.inspect(release, commitId, signal, { except: [...parts.generated, ...except] });
  return [...(drift.head === commitId ? [] : ['HEAD']), ...drift.changed, ...drift.missing];
}

/** In the release, which was verified and which nothing shows yet: what it lacks besides the commit's files. */
async function prepare(parts: ApplyParts, wanted: WantedTarget, signal: AbortSignal): Promise<void> {
  const { commitId } = wanted.target;
  const release = releaseOf(parts.places, commitId);
  const steps = await parts.stepsOf(release);
  await linkShared(parts.places, release, steps.shared);
  const generated = patternsOf(steps);
  if (steps.prepare) {
    await runStep(parts, 'prepare', wanted, signal);
    await parts.failpoint('prepare.ended');
    const wrong = await wrongFiles(parts, commitId, generated, signal);
    if (wrong.length > 0) throw preparedWrongly(wrong);
  }
  await parts.remember((journal) => {
    const known = knowRelease(journal, commitId, parts.clock.now());
    const prepared = { ...known.releases[commitId], prepared: parts.preparation, generated };
    return { ...known, releases: { ...known.releases, [commitId]: prepared as Journal['releases'][string] } };
  });
  await parts.failpoint('prepare.remembered');
}

const preparedWrongly = (names: readonly string[]): FleetError =>
  new FleetError({
    code: 'PREPARE_CHANGED',
    reason: `the prepare step changed files of the commit: ${names.slice(0, 5).join(', ')}`,
    hint: 'let it write elsewhere, or list what it makes in agent.generated; then publish again',
    next: 'stall',
  });

/**
 * The only visible step. Intent first: `activation: wanted` is durable before the link moves, so that a crash right
 * after the rename still runs the activate command.
 */
async function swap(parts: ApplyParts, { target }: WantedTarget): Promise<void> {
  const { commitId, relativePath } = target;
  await parts.remember((journal) => wantActivation(knowRelease(journal, commitId, parts.clock.now()), target));
  await parts.failpoint('swap.intended');
  await swapLink(parts.places, relativePath, commitId, parts.failpoint);
  await parts.remember((journal) => showRelease(journal, relativePath, commitId, parts.clock.now()));
  await parts.failpoint('swap.remembered');
}

async function activate(parts: ApplyParts, wanted: WantedTarget, stop: AbortSignal): Promise<void> {
  const steps = await parts.stepsOf(releaseOf(parts.places, wanted.target.commitId));
  if (wanted.override) await runStep(parts, 'on-rollback', wanted, stop);
  await runStep(parts, 'activate', wanted, stop);
  await parts.failpoint('activate.ended');
  // A person who goes back on this server judges by themselves.
  if (!steps.health || wanted.override) return await remembered(parts, wanted);
  await parts.remember((journal) => ({
    ...journal,
    progress: journal.progress && { ...journal.progress, activation: 'activated' },
  }));
  await parts.failpoint('activate.remembered');
}

async function health(parts: ApplyParts, wanted: WantedTarget, signal: AbortSignal): Promise<void> {
  const { health: rule } = await parts.stepsOf(releaseOf(parts.places, wanted.target.commitId));
  if (rule) await awaitHealth(rule, factsOf(parts, wanted), parts.probe, parts.clock, signal);
  await parts.failpoint('health.ended');
  await remembered(parts, wanted);
}

async function remembered(parts: ApplyParts, wanted: WantedTarget): Promise<void> {
  await parts.remember((journal) => endWell(journal, wanted.target));
  await parts.failpoint('settle.remembered');
}

/** Runs the step where there is one. @throws StepFailure, and RELEASE_FILE. */
async function runStep(parts: ApplyParts, name: StepName, wanted: WantedTarget, signal: AbortSignal): Promise<void> {
  const facts = factsOf(parts, wanted);
  const command = commandOf(await parts.stepsOf(facts.release), name);
  await parts.steps.run(name, command, facts, signal);
}

function factsOf({ places, journal }: ApplyParts, { target, targetVersion }: WantedTarget): StepFacts {
  const { commitId, relativePath, gitfleet } = target;
  const { owed, links } = journal();
  // Before the swap the link shows what will be the previous one.
  const previous = links[relativePath] === commitId ? owed[relativePath]?.previous : links[relativePath];
  return {
    ...{ commitId, targetVersion, previousCommitId: previous ?? null },
    release: releaseOf(places, commitId),
    link: linkOf(places, relativePath),
    deployment: gitfleet?.deployment ?? null,
  };
}
