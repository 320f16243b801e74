import type { Journal } from './journal.ts';

export interface RetentionRule {
  /** Releases that ended well, the active one included. */
  readonly keep: number;
  /** Releases that failed, kept for diagnosis. */
  readonly keepFailed: number;
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
    ...known.filter((release) => release.endedWell).slice(rule.keep),
    ...known.filter((release) => !release.endedWell).slice(rule.keepFailed),
  ];
  return beyond
    .filter(({ commitId, leftAt }) => !shown.has(commitId) && commitId !== lastGood && inPast(leftAt, rule, now))
    .sort((a, b) => a.at - b.at)
    .map(({ commitId }) => commitId);
}

/**
 * The kept release that a local rollback shows: the one left last that ended well; or the only one whose id begins with
 * `wanted`. Null: there is none, or more than one.
 */
export function chooseKept(releases: Journal['releases'], shown: string, wanted: string | null): string | null {
  const others = Object.entries(releases).filter(([commitId]) => commitId !== shown);
  if (wanted !== null) {
    const found = others.filter(([commitId]) => commitId.startsWith(wanted));
    return wanted.length >= 4 && found.length === 1 ? (found[0]?.[0] ?? null) : null;
  }
  const good = others.filter(([, release]) => release.endedWell && release.leftAt !== null);
  return good.sort(([, a], [, b]) => (b.leftAt ?? 0) - (a.leftAt ?? 0))[0]?.[0] ?? null;
}

/**
 * The kept release that a link goes back to when `failed` has failed there: the fleet's last proven one, else the one
 * shown before, else the one left last; only if it ended well on this server. Null: there is none.
 */
export function chooseBack(journal: Journal, path: string, failed: string): string | null {
  const good = (commitId: string | null | undefined): commitId is string =>
    commitId != null && commitId !== failed && journal.releases[commitId]?.endedWell === true;
  const base = journal.base?.relativePath === path ? journal.base.commitId : null;
  const found = [base, journal.owed[path]?.previous].find(good);
  return found ?? chooseKept(journal.releases, failed, null);
}

/** A release that nobody ever showed has no readers to wait for. */
function inPast(leftAt: number | null, rule: RetentionRule, now: number): boolean {
  return leftAt === null || now - leftAt >= rule.graceMs;
}
