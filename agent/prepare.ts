import type { Store } from '../git/store.ts';
import type { Clock } from '../runtime/clock.ts';
import { FleetError } from '../runtime/errors.ts';
import type { Logger } from '../runtime/log.ts';
import type { CommitId } from '../schemas/values.ts';
import { type Layout, releaseOf } from './disk/layout.ts';
import { linkShared } from './disk/shared-paths.ts';
import type { Failpoint } from './state/failpoints.ts';
import type { Journal } from './state/journal.ts';
import { notePrepared } from './state/link-history.ts';
import type { WantedTarget } from './state/wanted.ts';
import { patternsOf } from './steps/release-file.ts';
import { runStep, type StepParts } from './steps/run.ts';

interface CheckParts {
  readonly layout: Layout;
  readonly store: Pick<Store, 'attach' | 'inspect' | 'restore'>;
  readonly log: Logger;
  readonly journal: () => Journal;
  /** Patterns of what steps may create inside any release: neither drift nor cleaned. */
  readonly generated: readonly string[];
}

export interface PrepareParts extends CheckParts, StepParts {
  readonly clock: Clock;
  /** What a release must be prepared with (steps/release-file.ts). */
  readonly preparation: string;
  readonly failpoint: Failpoint;
  readonly remember: (change: (journal: Journal) => Journal) => Promise<void>;
}

/**
 * A kept release is shown (again) only if its files match the commit. Modified files are restored in place, because
 * running processes may still read there. Files that are not part of the commit stay; the inspection reports them.
 */
export async function checkKept(parts: CheckParts, commitId: CommitId, signal: AbortSignal): Promise<void> {
  const release = releaseOf(parts.layout, commitId);
  await parts.store.attach(release, commitId);
  const except = parts.journal().releases[commitId]?.generated ?? [];
  const wrong = await wrongFiles(parts, commitId, except, signal);
  if (wrong.length === 0) return;
  parts.log.warn({ commitId, drift: wrong }, 'a kept release is not its commit any more: putting it right');
  await parts.store.restore(release, commitId, signal, null);
  const still = await wrongFiles(parts, commitId, except, signal);
  if (still.length === 0) return;
  throw FleetError.of(
    'TREE_MISMATCH',
    `the kept release of ${commitId.slice(0, 12)} cannot be made its commit: ${still.slice(0, 5).join(', ')}`,
    `stop what writes into ${release}; the agent tries again automatically`,
  );
}

async function wrongFiles(parts: CheckParts, commitId: CommitId, except: readonly string[], signal: AbortSignal) {
  const release = releaseOf(parts.layout, commitId);
  const drift = await parts.store.inspect(release, commitId, signal, { except: [...parts.generated, ...except] });
  return [...(drift.head === commitId ? [] : ['HEAD']), ...drift.changed, ...drift.missing];
}

/** Adds to the release what it needs besides the commit's files. It was verified before, and no link shows it yet. */
export async function prepare(parts: PrepareParts, wanted: WantedTarget, signal: AbortSignal): Promise<void> {
  const { commitId } = wanted.target;
  const release = releaseOf(parts.layout, commitId);
  const steps = await parts.stepsOf(release);
  await linkShared(parts.layout, release, steps.shared);
  const generated = patternsOf(steps);
  if (steps.prepare) {
    await runStep(parts, 'prepare', wanted, signal);
    await parts.failpoint('prepare.ended');
    const wrong = await wrongFiles(parts, commitId, generated, signal);
    if (wrong.length > 0) throw preparedWrongly(wrong);
  }
  await parts.remember((journal) => notePrepared(journal, commitId, parts.preparation, generated, parts.clock.now()));
  await parts.failpoint('prepare.remembered');
}

const preparedWrongly = (names: readonly string[]): FleetError =>
  FleetError.of('PREPARE_CHANGED', `the prepare step changed files of the commit: ${names.slice(0, 5).join(', ')}`);
