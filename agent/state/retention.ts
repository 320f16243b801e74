import type { Journal, Release } from './journal.ts';
import { repositoryOf } from './link-history.ts';

export interface RetentionRule {
  /** Releases that ended well, the active one included. */
  readonly keepReleases: number;
  /** Releases that failed, kept for diagnosis. */
  readonly keepFailedReleases: number;
  /** Ms that a release stays readable after another one took over: running processes may still hold it. */
  readonly graceMs: number;
}

/**
 * Which releases may go. Never one that a link of ours shows, never the newest that ended well here nor the fleet's
 * last proven one, never one still in its grace. Good and failed ones are counted apart, so that a row of failures
 * cannot push out what one returns to.
 * @param onDisk commits that have a release directory.
 * @returns oldest first.
 */
export function superfluous(
  onDisk: readonly string[],
  journal: Pick<Journal, 'links' | 'releases'> & Partial<Pick<Journal, 'base'>>,
  rule: RetentionRule,
  now: number,
): string[] {
  const shown = new Set([...Object.values(journal.links), journal.base?.commitId]);
  const known = onDisk
    .map((commitId) => ({ commitId, ...(journal.releases[commitId] ?? { endedWell: false, leftAt: now, at: 0 }) }))
    .sort((a, b) => b.at - a.at);
  const lastGood = known.find((release) => release.endedWell)?.commitId;
  const beyond = [
    ...known.filter((release) => release.endedWell).slice(rule.keepReleases),
    ...known.filter((release) => !release.endedWell).slice(rule.keepFailedReleases),
  ];
  return beyond
    .filter(({ commitId, leftAt }) => !shown.has(commitId) && commitId !== lastGood && inPast(leftAt, rule, now))
    .sort((a, b) => a.at - b.at)
    .map(({ commitId }) => commitId);
}

/** One link and the commit it shows. */
interface Showing {
  readonly path: string;
  readonly commitId: string;
}

/**
 * The kept release that a link goes back to of itself: of those that this very link has shown, from the same
 * repository, and that ended well there, the one left last. What is not known, as in the journal of an earlier version,
 * is not chosen. Null: there is none.
 */
export function chooseKept(journal: Journal, { path, commitId }: Showing): string | null {
  const url = repositoryOf(journal, path, commitId);
  if (url === undefined) return null;
  const left = (release: Release) => release.shownAt?.[path]?.leftAt ?? 0;
  const isGood = ({ endedWell, shownAt }: Release) =>
    endedWell && shownAt?.[path]?.endedWell === true && shownAt[path].leftAt !== null && shownAt[path].url === url;
  const good = Object.entries(journal.releases).filter(([other, release]) => other !== commitId && isGood(release));
  return good.sort(([, a], [, b]) => left(b) - left(a))[0]?.[0] ?? null;
}

/**
 * The kept releases that a person may name for this link: those it has shown, however that ended and of whichever
 * repository, and those of which it is not known which link showed them.
 */
export function nameable({ releases }: Pick<Journal, 'releases'>, { path, commitId }: Showing): string[] {
  const others = Object.entries(releases).filter(([other]) => other !== commitId);
  return others.filter(([, { shownAt }]) => shownAt === undefined || path in shownAt).map(([other]) => other);
}

/**
 * The kept release that a link goes back to when `failed` has failed there: the fleet's last proven one for that place,
 * else the one this link showed before, else the one chosen as above; only if it ended well on this server. Null: there
 * is none.
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
