import { lstat, readdir, readlink } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';
import type { Places } from './disk/layout.ts';
import { listReleases } from './disk/releases.ts';
import type { Journal } from './state/journal.ts';
import { leaveLink, showRelease } from './state/link-history.ts';

/**
 * The disk is the truth: brings the journal's links and releases to what is there. A crash or a full disk between the
 * rename of a link and its entry in the journal shows here; so does a link that somebody removed, and a release
 * directory nobody remembers. Returns the same object where nothing differs.
 */
export async function reconcile(places: Places, journal: Journal, now: number): Promise<Journal> {
  let mended = journal;
  for (const [path, remembered] of Object.entries(journal.links)) {
    const shown = await shownAt(places, join(places.root, path));
    if (shown === null) mended = leaveLink(mended, path, now);
    else if (shown !== remembered) mended = showRelease(mended, path, shown, now);
  }
  const onDisk = new Set<string>(await listReleases(places));
  const gone = Object.keys(mended.releases).filter((commitId) => !onDisk.has(commitId));
  const strange = [...onDisk].filter((commitId) => !(commitId in mended.releases));
  if (gone.length + strange.length === 0) return mended;
  const releases = { ...mended.releases };
  for (const commitId of gone) delete releases[commitId];
  for (const commitId of strange) releases[commitId] = { endedWell: false, leftAt: now, at: now };
  return { ...mended, releases };
}

/** Where the journal was lost: every link below the root that shows one of our releases. Bounded, links not followed. */
export async function findLinks(places: Places): Promise<string[]> {
  const found: string[] = [];
  const open = [places.root];
  for (let looked = 0; looked < MOST_DIRECTORIES; looked += 1) {
    const directory = open.pop();
    if (directory === undefined) break;
    for (const entry of await readdir(directory, { withFileTypes: true }).catch(() => [])) {
      const path = join(directory, entry.name);
      if (entry.isDirectory() && path !== dirname(places.app)) open.push(path);
      if (entry.isSymbolicLink() && (await shownAt(places, path)) !== null) found.push(relative(places.root, path));
    }
  }
  return found;
}

const MOST_DIRECTORIES = 100_000;

/** The commit that a link of ours shows; null where there is none, or one that leads elsewhere. */
async function shownAt(places: Places, link: string): Promise<string | null> {
  const target = (await lstat(link).catch(() => null))?.isSymbolicLink() ? await readlink(link) : null;
  const release = target === null ? null : resolve(dirname(link), target);
  return release !== null && dirname(release) === places.releases ? basename(release) : null;
}
