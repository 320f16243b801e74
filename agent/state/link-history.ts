import type { Journal, Release } from './journal.ts';

/**
 * What the journal remembers about links and releases, as pure changes of it. A change that affects the order takes the
 * next number of the journal's counter. Orders come from the counter, ages from the clock.
 */
export function noteRelease(journal: Journal, commitId: string, now: number): Journal {
  if (journal.releases[commitId]) return journal;
  const order = journal.counter + 1;
  const release: Release = { endedWell: false, leftAt: null, at: now, order, shownAt: {} };
  return { ...journal, counter: order, releases: { ...journal.releases, [commitId]: release } };
}

/** The release now has what it needs besides the commit's files, made by `preparation`. */
export function notePrepared(
  journal: Journal,
  commitId: string,
  preparation: string,
  generated: string[],
  now: number,
): Journal {
  const known = noteRelease(journal, commitId, now);
  const release = known.releases[commitId];
  const prepared = release && { ...release, prepared: preparation, generated };
  return prepared ? { ...known, releases: { ...known.releases, [commitId]: prepared } } : known;
}

export function noteRemoved({ releases, ...journal }: Journal, commitId: string): Journal {
  const { [commitId]: _removed, ...rest } = releases;
  return { ...journal, releases: rest };
}

/**
 * The link now shows `commitId`. The release that it showed before has been left, unless another link still shows it.
 */
export function noteShown(journal: Journal, path: string, commitId: string, now: number): Journal {
  const known = noteRelease(noteLeft(journal, path, now), commitId, now);
  const order = known.counter + 1;
  const shown = known.releases[commitId];
  const { endedWell = false } = shown?.shownAt?.[path] ?? {};
  const showing = { ...urlOf(repositoryOf(journal, path, commitId)), endedWell, leftAt: null };
  const release = shown && { ...shown, leftAt: null, at: now, order, shownAt: { ...shown.shownAt, [path]: showing } };
  const releases = release ? { ...known.releases, [commitId]: release } : known.releases;
  return { ...known, counter: order, links: { ...known.links, [path]: commitId }, releases };
}

/** The link is gone, or leads elsewhere. What it showed has been left, unless another link still shows it. */
export function noteLeft(journal: Journal, path: string, now: number): Journal {
  const { [path]: before, ...links } = journal.links;
  const shown = before === undefined ? undefined : journal.releases[before];
  if (before === undefined || !shown) return { ...journal, links };
  const elsewhere = Object.values(links).includes(before);
  const order = journal.counter + 1;
  const left = leftThere(elsewhere ? shown : { ...shown, leftAt: now }, path, now, order);
  return { ...journal, counter: order, links, releases: { ...journal.releases, [before]: left } };
}

function leftThere(release: Release, path: string, leftAt: number, leftOrder: number): Release {
  const showing = release.shownAt?.[path];
  if (!showing) return release;
  return { ...release, shownAt: { ...release.shownAt, [path]: { ...showing, leftAt, leftOrder } } };
}

/** The release that this link shows ended well there; with `url`, as a release of that repository. */
export function noteWell(journal: Journal, path: string, commitId: string, url: string | undefined): Journal {
  const release = journal.releases[commitId];
  if (!release) return journal;
  const showing = { leftAt: null, ...release.shownAt?.[path], ...urlOf(url), endedWell: true };
  const { failed: _failed, ...before } = release;
  const proven = { ...before, endedWell: true, shownAt: { ...release.shownAt, [path]: showing } };
  return { ...journal, releases: { ...journal.releases, [commitId]: proven } };
}

/** It failed after it was shown. A release that ended well once and fails now is nothing to return to. */
export function noteFailed(journal: Journal, path: string, commitId: string): Journal {
  const release = journal.releases[commitId];
  if (!release) return journal;
  const showing = release.shownAt?.[path];
  const shownAt = showing ? { shownAt: { ...release.shownAt, [path]: { ...showing, endedWell: false } } } : {};
  const failed = { ...release, ...shownAt, endedWell: false, failed: true };
  return { ...journal, releases: { ...journal.releases, [commitId]: failed } };
}

/** A step failed before the release was shown: a release that ended well earlier keeps that. */
export function noteGivenUp(journal: Journal, commitId: string): Journal {
  const release = journal.releases[commitId];
  if (!release || release.endedWell) return journal;
  return { ...journal, releases: { ...journal.releases, [commitId]: { ...release, failed: true } } };
}

/** Notes the fleet's last proven target. Returns the same object if it is already known, or if there is none. */
export function noteBase(journal: Journal, base: Base | undefined): Journal {
  const { commitId, relativePath } = journal.base ?? {};
  if (!base || (base.commitId === commitId && base.relativePath === relativePath)) return journal;
  return { ...journal, base: { commitId: base.commitId, relativePath: base.relativePath } };
}

type Base = NonNullable<Journal['base']>;

/** The repository of what this link shows, or is about to show, at `commitId`; undefined: not known. */
export function repositoryOf({ progress, releases }: Journal, path: string, commitId: string): string | undefined {
  const begun = progress?.relativePath === path && progress.commitId === commitId ? progress.url : undefined;
  return begun ?? releases[commitId]?.shownAt?.[path]?.url;
}

const urlOf = (url: string | undefined): { url?: string } => (url === undefined ? {} : { url });
