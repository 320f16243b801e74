import { chmod, lstat, mkdir, readdir, rename, rm, symlink } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { syncDirectory } from '../../runtime/durable-file.ts';
import { FleetError } from '../../runtime/errors.ts';
import { isCommitId } from '../../schemas/commit-id.ts';
import type { CommitId, RelativePath } from '../../schemas/values.ts';
import { type Failpoint, NO_FAILPOINT } from '../state/failpoints.ts';
import { type Layout, linkOf, releaseOf } from './layout.ts';

/**
 * Shows `commitId` at `relativePath`: a relative link is created aside and renamed over the old one, so that a reader
 * sees the complete old tree or the complete new one at every instant. Missing parents are created. The release must
 * have been verified.
 */
export async function swapLink(
  layout: Layout,
  path: RelativePath,
  commitId: CommitId,
  failpoint: Failpoint = NO_FAILPOINT,
): Promise<void> {
  const link = linkOf(layout, path);
  const parent = dirname(link);
  const made = await mkdir(parent, { recursive: true, mode: 0o755 });
  if (made !== undefined) await openFrom(made, parent);
  const aside = asideOf(link);
  await replaceLink(relative(parent, releaseOf(layout, commitId)), aside);
  await failpoint('swap.aside');
  await rename(aside, link);
  await failpoint('swap.renamed');
  await syncDirectory(parent);
}

/** Replaces a link that a crash left. A directory there is not ours. */
async function replaceLink(target: string, aside: string): Promise<void> {
  try {
    await symlink(target, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    await rm(aside, { force: true }).catch(() => {
      throw FleetError.of(
        'OCCUPIED',
        `${aside} is in the way and is nothing of ours; it was not touched`,
        'remove it: the new link is made there before it is renamed',
      );
    });
    await symlink(target, aside);
  }
}

/** Beside the link, because a parent may be a mount point, and rename does not cross file systems. */
const asideOf = (link: string): string => join(dirname(link), `.${basename(link)}.gitfleet-new`);

/** Directories that we created become readable by others, whatever the umask was. Existing ones keep their mode. */
export async function openFrom(made: string, parent: string): Promise<void> {
  const top = resolve(made);
  for (let at = resolve(parent); at.length >= top.length; at = dirname(at)) await chmod(at, 0o755);
}

/** The commits whose release directories are on the disk. */
export async function listReleases(layout: Layout): Promise<CommitId[]> {
  const names = await readdir(layout.releases);
  return names.filter(isCommitId);
}

/** Removes the link aside that a swap left when a crash interrupted it. It has no readers. */
export async function removeLeftovers(layout: Layout, paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const aside = asideOf(join(layout.root, path));
    const found = await lstat(aside).catch(() => null);
    // If this fails, the next swap says why.
    if (found?.isSymbolicLink()) await rm(aside, { force: true }).catch(() => {});
  }
}
