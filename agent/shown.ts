import type { Journal } from './journal.ts';

/** What the journal remembers of links and releases, as pure changes of it. */
export const knowRelease = (journal: Journal, commitId: string, now: number): Journal => ({
  ...journal,
  releases: {
    ...journal.releases,
    [commitId]: journal.releases[commitId] ?? { endedWell: false, leftAt: null, at: now },
  },
});

/** The link shows `commitId` now; the release it showed before has been left, unless another link shows it still. */
export function showRelease(journal: Journal, path: string, commitId: string, now: number): Journal {
  const known = knowRelease(leaveLink(journal, path, now), commitId, now);
  const shown = known.releases[commitId];
  const releases = shown ? { ...known.releases, [commitId]: { ...shown, leftAt: null, at: now } } : known.releases;
  return { ...known, links: { ...known.links, [path]: commitId }, releases };
}

/** The link is gone, or leads elsewhere: what it showed has been left, unless another link shows it still. */
export function leaveLink(journal: Journal, path: string, now: number): Journal {
  const { [path]: before, ...links } = journal.links;
  const left = before === undefined ? undefined : journal.releases[before];
  if (before === undefined || !left || Object.values(links).includes(before)) return { ...journal, links };
  return { ...journal, links, releases: { ...journal.releases, [before]: { ...left, leftAt: now } } };
}
