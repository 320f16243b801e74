import { readlink } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { showRelease } from './apply.ts';
import type { Journal } from './journal.ts';
import type { Places } from './place.ts';
import { listReleases, removeLeftovers } from './releases.ts';

/**
 * After a start the disk is the truth: brings the journal's links and releases to what is there. A crash between the
 * rename of a link and its entry in the journal shows here; so does a release directory nobody remembers.
 */
export async function reconcile(places: Places, journal: Journal, now: number): Promise<Journal> {
  await removeLeftovers(places, Object.keys(journal.links));
  let mended = journal;
  for (const [path, remembered] of Object.entries(journal.links)) {
    const link = join(places.root, path);
    const shown = await readlink(link).catch(() => null);
    const release = shown === null ? null : resolve(dirname(link), shown);
    if (release === null || dirname(release) !== places.releases) {
      const { [path]: _gone, ...links } = mended.links;
      mended = { ...mended, links };
    } else if (basename(release) !== remembered) mended = showRelease(mended, path, basename(release), now);
  }
  const onDisk = new Set<string>(await listReleases(places));
  const known = Object.entries(mended.releases).filter(([commitId]) => onDisk.has(commitId));
  const releases = Object.fromEntries(known);
  for (const commitId of onDisk) releases[commitId] ??= { endedWell: false, leftAt: now, at: now };
  return { ...mended, releases };
}
