import type { GitSpare } from '../git/open-spare.ts';
import type { GitStore } from '../git/open-store.ts';
import type { Clock } from '../runtime/clock.ts';
import { FleetError } from '../runtime/errors.ts';
import type { Logger } from '../runtime/log.ts';
import type { CommitId } from '../schemas/values.ts';
import { type ActivateCommand, activate } from './activation.ts';
import type { Failpoint } from './failpoints.ts';
import type { Journal } from './journal.ts';
import { linkOf, type Places, releaseOf } from './place.ts';
import type { Wanted } from './plan.ts';
import { swapLink } from './releases.ts';

export interface ApplyParts {
  readonly places: Places;
  readonly store: GitStore;
  readonly spare: GitSpare;
  readonly clock: Clock;
  readonly log: Logger;
  readonly app: string;
  readonly activate: ActivateCommand | null;
  readonly commandPath: string;
  readonly failpoint: Failpoint;
  /** The journal as it is, and its durable replacement. */
  readonly journal: () => Journal;
  readonly remember: (change: (journal: Journal) => Journal) => Promise<void>;
  /** Asks ZooKeeper once more, right before the swap, whether this is still wanted. @throws FleetError when not. */
  readonly confirm: (wanted: WantedTarget, signal: AbortSignal) => Promise<void>;
}

export type WantedTarget = Extract<Wanted, { kind: 'target' }>;
export type Doing = 'fetch' | 'write' | 'keep' | 'check' | 'swap' | 'activate' | 'settle';

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
      // Only the commit can tell whether a kept release is still its tree: one that the store lost is brought again.
      if (!(await store.has(commitId))) await store.fetch({ url, commitId, ref: gitfleet?.ref }, signal);
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
      await parts.remember((journal) => endWell(journal, commitId));
      await parts.failpoint('settle.remembered');
      return;
    case 'settle':
      await parts.remember((journal) => endWell(journal, commitId));
      return;
  }
}

/** A kept release is shown again only if it is still the commit; one that somebody edited is made anew. */
async function checkKept(parts: ApplyParts, commitId: CommitId, signal: AbortSignal): Promise<void> {
  const drift = await parts.store.inspect(releaseOf(parts.places, commitId), commitId, signal);
  const names = [...drift.changed, ...drift.missing, ...drift.strangers];
  if (drift.head === commitId && names.length === 0) return;
  parts.log.warn({ commitId, drift: names.slice(0, 20) }, 'kept release is not the commit any more: making it anew');
  if (Object.values(parts.journal().links).includes(commitId)) {
    throw new FleetError({
      code: 'DRIFT',
      reason: `the release that another link shows was changed: ${names.slice(0, 5).join(', ')}`,
      hint: `put the files of ${releaseOf(parts.places, commitId)} right, or publish another commit`,
      next: 'stall',
    });
  }
  await parts.store.removeWorkTree(releaseOf(parts.places, commitId));
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
    previousCommitId: previousOf(parts.journal(), commitId),
    release: releaseOf(parts.places, commitId),
    link: linkOf(parts.places, relativePath),
    deployment: gitfleet?.deployment ?? null,
    path: parts.commandPath,
  };
  await activate(parts.activate, facts, parts.clock, signal);
}

/** The release that was left last. */
function previousOf(journal: Journal, commitId: string): string | null {
  const left = Object.entries(journal.releases).filter(([id, release]) => id !== commitId && release.leftAt !== null);
  return left.sort(([, a], [, b]) => (b.leftAt ?? 0) - (a.leftAt ?? 0))[0]?.[0] ?? null;
}

const knowRelease = (journal: Journal, commitId: string, now: number): Journal => ({
  ...journal,
  releases: {
    ...journal.releases,
    [commitId]: journal.releases[commitId] ?? { endedWell: false, leftAt: null, at: now },
  },
});

/** The link shows `commitId` now; the release it showed before has been left, unless another link shows it still. */
export function showRelease(journal: Journal, path: string, commitId: string, now: number): Journal {
  const before = journal.links[path];
  const links = { ...journal.links, [path]: commitId };
  const releases = { ...knowRelease(journal, commitId, now).releases };
  const shown = releases[commitId];
  if (shown) releases[commitId] = { ...shown, leftAt: null, at: now };
  const left = before === undefined ? undefined : releases[before];
  if (before !== undefined && left && !Object.values(links).includes(before))
    releases[before] = { ...left, leftAt: now };
  return { ...journal, links, releases };
}

function endWell(journal: Journal, commitId: string): Journal {
  const release = journal.releases[commitId];
  return {
    ...journal,
    progress: journal.progress && { ...journal.progress, activation: 'done', lastFailure: null },
    releases: release ? { ...journal.releases, [commitId]: { ...release, endedWell: true } } : journal.releases,
  };
}
