import type { GitSpare } from '../git/open-spare.ts';
import type { GitStore } from '../git/open-store.ts';
import type { Chance, Clock } from '../runtime/clock.ts';
import { classify, FleetError, isAbort } from '../runtime/errors.ts';
import type { Logger } from '../runtime/log.ts';
import type { CommitId } from '../schemas/values.ts';
import { type Activation, activate } from './activation.ts';
import type { Failpoint } from './failpoints.ts';
import type { Journal } from './journal.ts';
import { linkOf, type Places, releaseOf } from './place.ts';
import type { Wanted } from './plan.ts';
import { fail } from './progress.ts';
import { swapLink } from './releases.ts';
import { type Patience, patienceAfter } from './retry.ts';
import { knowRelease, showRelease } from './shown.ts';
import type { StandingReporter } from './standing.ts';

export interface ApplyParts {
  readonly places: Places;
  readonly store: GitStore;
  readonly spare: GitSpare;
  readonly clock: Clock;
  readonly log: Logger;
  readonly app: string;
  readonly activate: Activation | null;
  readonly commandPath: string;
  /** Patterns of what steps may make inside a release: neither drift nor cleaned. */
  readonly generated: readonly string[];
  readonly failpoint: Failpoint;
  /** The journal as it is, and its durable replacement. */
  readonly journal: () => Journal;
  readonly remember: (change: (journal: Journal) => Journal) => Promise<void>;
  /** Asks ZooKeeper once more, right before the swap, whether this is still wanted. @throws FleetError when not. */
  readonly confirm: (wanted: WantedTarget, signal: AbortSignal) => Promise<void>;
}

export type WantedTarget = Extract<Wanted, { kind: 'target' }>;
export type Doing = 'fetch' | 'write' | 'keep' | 'check' | 'swap' | 'activate' | 'settle';

export interface StepParts extends ApplyParts {
  readonly chance: Chance;
  readonly standing: StandingReporter;
}

/** What a step leaves for the next turn. */
export interface StepMemory {
  /** The kept release that was compared with its commit for this target. */
  checked: string | null;
  patience: Patience;
}

/**
 * One step, with its log lines. A failure goes into the journal, with how long to wait before the next try; being
 * interrupted is none.
 */
export async function takeStep(
  parts: StepParts,
  memory: StepMemory,
  step: Doing,
  wanted: WantedTarget,
  signal: AbortSignal,
): Promise<void> {
  const started = parts.clock.monotonic();
  parts.standing.working(wanted, step, parts.journal());
  try {
    await apply(parts, step, wanted, signal);
    if (step === 'check' || step === 'keep') memory.checked = wanted.target.commitId;
    parts.standing.done(wanted, step, parts.clock.monotonic() - started);
  } catch (error) {
    if (signal.aborted && (isAbort(error) || error === signal.reason)) return;
    const failure = classify(error);
    await parts.remember((journal) => fail(journal, failure.toFailure(), step));
    const attempts = parts.journal().progress?.attempts ?? 1;
    memory.patience = patienceAfter(failure, step, attempts, parts.clock.monotonic(), parts.chance);
    parts.standing.failed(wanted, step, failure, attempts);
  }
}

/** Performs one step and decides nothing. `signal` fires when a newer target arrives; a swap is never cut in half. */
export async function apply(parts: ApplyParts, step: Doing, wanted: WantedTarget, signal: AbortSignal): Promise<void> {
  const { store, spare, places } = parts;
  const { commitId, url, gitfleet } = wanted.target;
  switch (step) {
    case 'fetch':
      await store.fetch({ url, commitId, ref: gitfleet?.ref }, signal);
      return;
    case 'write':
      await spare.write(commitId, signal);
      await spare.verify(commitId, signal);
      return;
    case 'keep':
      await parts.remember((journal) => knowRelease(journal, commitId, parts.clock.now()));
      await parts.failpoint('keep.remembered');
      await spare.moveTo(releaseOf(places, commitId));
      return;
    case 'check':
      await checkKept(parts, commitId, signal);
      return;
    case 'swap':
      // A person on this server needs no leave from ZooKeeper, which may be what is broken.
      if (!wanted.override) await parts.confirm(wanted, signal);
      await swap(parts, wanted);
      return;
    case 'activate':
      await runActivate(parts, wanted, signal);
      await parts.failpoint('activate.ended');
      await parts.remember((journal) => endWell(journal, wanted.target));
      await parts.failpoint('settle.remembered');
      return;
    case 'settle':
      await parts.remember((journal) => endWell(journal, wanted.target));
      return;
  }
}

/**
 * A kept release is shown (again) only if its files are the commit's. Files that somebody changed are put right in place,
 * since running processes may still read there; what is not of the commit stays, and is reported by the inspection.
 */
async function checkKept(parts: ApplyParts, commitId: CommitId, signal: AbortSignal): Promise<void> {
  const release = releaseOf(parts.places, commitId);
  await parts.store.attach(release, commitId);
  const wrong = await wrongFiles(parts, release, commitId, signal);
  if (wrong.length === 0) return;
  parts.log.warn({ commitId, drift: wrong }, 'a kept release is not its commit any more: putting it right');
  await parts.store.putRight(release, commitId, signal, null);
  const still = await wrongFiles(parts, release, commitId, signal);
  if (still.length === 0) return;
  throw new FleetError({
    code: 'TREE_MISMATCH',
    reason: `the kept release of ${commitId.slice(0, 12)} cannot be made its commit: ${still.slice(0, 5).join(', ')}`,
    hint: `something writes into ${release} again and again; stop it, the agent tries again by itself`,
    next: 'retry',
  });
}

async function wrongFiles(parts: ApplyParts, release: string, commitId: CommitId, signal: AbortSignal) {
  const drift = await parts.store.inspect(release, commitId, signal, { except: parts.generated });
  return [...(drift.head === commitId ? [] : ['HEAD']), ...drift.changed, ...drift.missing];
}

/**
 * The only visible step. Intent first: `activation: wanted` is durable before the link moves, so that a crash right
 * after the rename still runs the activate command.
 */
async function swap(parts: ApplyParts, wanted: WantedTarget): Promise<void> {
  const { commitId, relativePath } = wanted.target;
  const before = parts.journal().links[relativePath] ?? null;
  await parts.remember((journal) => ({
    ...knowRelease(journal, commitId, parts.clock.now()),
    links: { ...journal.links, [relativePath]: before ?? commitId },
    owed: { ...journal.owed, [relativePath]: { commitId, previous: before } },
    progress: journal.progress && { ...journal.progress, activation: 'wanted' },
  }));
  await parts.failpoint('swap.intended');
  await swapLink(parts.places, relativePath, commitId, parts.failpoint);
  await parts.remember((journal) => showRelease(journal, relativePath, commitId, parts.clock.now()));
  await parts.failpoint('swap.remembered');
}

async function runActivate(parts: ApplyParts, wanted: WantedTarget, signal: AbortSignal): Promise<void> {
  if (!parts.activate) return;
  const { commitId, relativePath, gitfleet } = wanted.target;
  const facts = {
    app: parts.app,
    commitId,
    previousCommitId: parts.journal().owed[relativePath]?.previous ?? null,
    release: releaseOf(parts.places, commitId),
    link: linkOf(parts.places, relativePath),
    deployment: gitfleet?.deployment ?? null,
    path: parts.commandPath,
  };
  await activate(parts.activate, facts, parts.clock, signal);
}

function endWell(journal: Journal, { commitId, relativePath }: WantedTarget['target']): Journal {
  const release = journal.releases[commitId];
  const { [relativePath]: _paid, ...owed } = journal.owed;
  return {
    ...journal,
    owed,
    links: { ...journal.links, [relativePath]: commitId },
    progress: journal.progress && { ...journal.progress, activation: 'done', lastFailure: null },
    releases: release ? { ...journal.releases, [commitId]: { ...release, endedWell: true } } : journal.releases,
  };
}
