import type { Journal, Release } from './journal.ts';
import { repositoryOf } from './link-history.ts';

export interface RetentionRule {
  /** Releases that ended well, the active one included. */
  readonly keepReleases: number;
  /** Releases that failed, kept for diagnosis. */
  readonly keepFailedReleases: number;
  /** How long a release stays readable after another one replaced it, ms: running processes may still use it. */
  readonly graceMs: number;
}

/**
 * How many releases that retention no longer keeps may wait for their grace to end. If deployments are faster than
 * that, the oldest go early: otherwise they would fill any disk.
 */
export const MAX_WAITING = 10;

interface Released {
  readonly commitId: string;
  readonly inGrace: boolean;
}

/**
 * The releases that retention no longer keeps, oldest first: those beyond the two numbers, and each that a newer target
 * overtook before it ended well or failed. Never one that a link of ours shows, nor one that the agent works on or
 * could go back to: the newest that ended well here, the fleet's last proven one, what a link showed before an
 * activation that is pending. Good and failed ones are counted separately, so that a series of failures cannot remove a
 * release to return to.
 * @param onDisk commits that have a release directory.
 */
export function released(onDisk: readonly string[], journal: Retained, rule: RetentionRule, now: number): Released[] {
  const known = onDisk
    .map((commitId) => ({ commitId, ...(journal.releases[commitId] ?? { endedWell: false, leftAt: now, at: 0 }) }))
    .sort((a, b) => newestFirst(a, b));
  const needed = new Set([...inUse(journal), known.find((release) => release.endedWell)?.commitId]);
  const kept = new Set([
    ...known.filter((release) => release.endedWell).slice(0, rule.keepReleases),
    ...known.filter(hasFailed).slice(0, rule.keepFailedReleases),
  ]);
  return known
    .filter((release) => !kept.has(release) && !needed.has(release.commitId))
    .sort((a, b) => newestFirst(b, a))
    .map(({ commitId, leftAt }) => ({ commitId, inGrace: !inPast(leftAt, rule, now) }));
}

/** A release whose history the journal does not know counts as failed: a person may still examine it. */
const hasFailed = ({ endedWell, failed, shownAt }: Release): boolean =>
  !endedWell && (failed === true || shownAt === undefined);

/** Those of them to remove now: their grace is over, or too many wait. Oldest first. */
export function superfluous(onDisk: readonly string[], journal: Retained, rule: RetentionRule, now: number): string[] {
  const all = released(onDisk, journal, rule, now);
  return all.filter(({ inGrace }, at) => !inGrace || at < all.length - MAX_WAITING).map(({ commitId }) => commitId);
}

type Retained = Pick<Journal, 'links' | 'releases'> & Partial<Pick<Journal, 'base' | 'progress' | 'pendingActivation'>>;

function inUse({ links, base, progress, pendingActivation = {} }: Retained): (string | null | undefined)[] {
  const before = Object.values(pendingActivation).map(({ previous }) => previous);
  return [...Object.values(links), ...before, base?.commitId, progress?.commitId];
}

/** By the journal's counter. A release without a number is older; among those the clock decides. */
export function newestFirst(a: Pick<Release, 'order' | 'at'>, b: Pick<Release, 'order' | 'at'>): number {
  return (b.order ?? 0) - (a.order ?? 0) || b.at - a.at;
}

/** One link and the commit it shows. */
interface Showing {
  readonly path: string;
  readonly commitId: string;
}

/**
 * The kept release that a link goes back to automatically: of those that this link has shown, from the same repository,
 * and that ended well there, the one left last. A release for which this is not known, as in the journal of an earlier
 * version, is not chosen. Null: there is none.
 */
export function chooseKept(journal: Journal, { path, commitId }: Showing): string | null {
  const url = repositoryOf(journal, path, commitId);
  if (url === undefined) return null;
  const left = (release: Release) => ({
    order: release.shownAt?.[path]?.leftOrder,
    at: release.shownAt?.[path]?.leftAt ?? 0,
  });
  const isGood = ({ endedWell, shownAt }: Release) =>
    endedWell && shownAt?.[path]?.endedWell === true && shownAt[path].leftAt !== null && shownAt[path].url === url;
  const good = Object.entries(journal.releases).filter(([other, release]) => other !== commitId && isGood(release));
  return good.sort(([, a], [, b]) => newestFirst(left(a), left(b)))[0]?.[0] ?? null;
}

/**
 * The kept releases that a person may name for this link: those that it has shown, however that ended and from
 * whichever repository, and those for which it is not known which link showed them.
 */
export function nameable({ releases }: Pick<Journal, 'releases'>, { path, commitId }: Showing): string[] {
  const others = Object.entries(releases).filter(([other]) => other !== commitId);
  return others.filter(([, { shownAt }]) => shownAt === undefined || path in shownAt).map(([other]) => other);
}

/**
 * The kept release that a link goes back to when `failed` has failed there: the fleet's last proven one for that place,
 * else the one that this link showed before, else the one that chooseKept chooses; only if it ended well on this
 * server. Null: there is none.
 */
export function chooseBack(journal: Journal, path: string, failed: string): string | null {
  const good = (commitId: string | null | undefined): commitId is string =>
    commitId != null && commitId !== failed && journal.releases[commitId]?.endedWell === true;
  const base = journal.base?.relativePath === path ? journal.base.commitId : null;
  const found = [base, journal.pendingActivation[path]?.previous].find(good);
  return found ?? chooseKept(journal, { path, commitId: failed });
}

/** A release that no link ever showed has no readers to wait for. */
function inPast(leftAt: number | null, rule: RetentionRule, now: number): boolean {
  return leftAt === null || now - leftAt >= rule.graceMs;
}
