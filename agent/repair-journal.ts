import { lstat, readdir, readlink } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';
import type { Layout } from './disk/layout.ts';
import { listReleases } from './disk/releases.ts';
import type { Journal } from './state/journal.ts';
import { noteLeft, noteShown } from './state/link-history.ts';

/**
 * The disk is the truth: brings the journal's links and releases to what is there. That covers a crash or a full disk
 * between the rename of a link and its entry in the journal, a link that was removed, and a release directory that the
 * journal does not know. Returns the same object if nothing differs.
 */
export async function repairJournal(layout: Layout, journal: Journal, now: number): Promise<Journal> {
  let repaired = journal;
  for (const [path, remembered] of Object.entries(journal.links)) {
    const shown = await shownAt(layout, join(layout.root, path));
    if (shown === null) repaired = noteLeft(repaired, path, now);
    else if (shown !== remembered) repaired = noteShown(repaired, path, shown, now);
  }
  const onDisk = new Set<string>(await listReleases(layout));
  const gone = Object.keys(repaired.releases).filter((commitId) => !onDisk.has(commitId));
  const strange = [...onDisk].filter((commitId) => !(commitId in repaired.releases));
  if (gone.length + strange.length === 0) return repaired;
  const releases = { ...repaired.releases };
  for (const commitId of gone) delete releases[commitId];
  for (const commitId of strange) releases[commitId] = { endedWell: false, leftAt: now, at: now };
  return { ...repaired, releases };
}

/** For a lost journal: every link below the root that shows one of our releases. Bounded; links are not followed. */
export async function findLinks(layout: Layout): Promise<string[]> {
  const found: string[] = [];
  const open = [layout.root];
  for (let looked = 0; looked < MAX_DIRECTORIES; looked += 1) {
    const directory = open.pop();
    if (directory === undefined) break;
    for (const entry of await readdir(directory, { withFileTypes: true }).catch(() => [])) {
      const path = join(directory, entry.name);
      if (entry.isDirectory() && path !== dirname(layout.app)) open.push(path);
      if (entry.isSymbolicLink() && (await shownAt(layout, path)) !== null) found.push(relative(layout.root, path));
    }
  }
  return found;
}

const MAX_DIRECTORIES = 100_000;

/** The commit that our link shows; null if there is no link, or it leads elsewhere. */
async function shownAt(layout: Layout, link: string): Promise<string | null> {
  const target = (await lstat(link).catch(() => null))?.isSymbolicLink() ? await readlink(link) : null;
  const release = target === null ? null : resolve(dirname(link), target);
  return release !== null && dirname(release) === layout.releases ? basename(release) : null;
}
