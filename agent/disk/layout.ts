import type { Stats } from 'node:fs';
import { lstat, readlink, realpath, stat } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { FleetError } from '../../runtime/errors.ts';
import { isCommitId } from '../../schemas/commit-id.ts';
import type { CommitId, RelativePath } from '../../schemas/values.ts';

/** Where an agent's files are: its root, its state, and the directory of one app's releases below the root. */
export interface Layout {
  readonly root: string;
  readonly state: string;
  /** `<root>/.gitfleet/<app>` */
  readonly app: string;
  /** `<root>/.gitfleet/<app>/releases` */
  readonly releases: string;
  readonly spare: string;
  /** What all releases share. */
  readonly shared: string;
  /** `<state>/apps/<app>` */
  readonly appState: string;
}

/** The app's directory name: its znode path with `+` for `/`. No znode segment of ours contains a `+`. */
export function layoutOf(root: string, state: string, app: string): Layout {
  const name = app.slice(1).replaceAll('/', '+');
  const appDir = join(root, '.gitfleet', name);
  return {
    root,
    state,
    app: appDir,
    releases: join(appDir, 'releases'),
    spare: join(appDir, 'spare'),
    shared: join(appDir, 'shared'),
    appState: join(state, 'apps', name),
  };
}

export const linkOf = (layout: Layout, path: RelativePath): string => join(layout.root, path);
export const releaseOf = (layout: Layout, commitId: string): string => join(layout.releases, commitId);

/**
 * Decides whether `relativePath` may be our link. Checks every segment from the root down, and nothing above it:
 * parents must be real directories that only we can write, and the last segment absent or our own link. Changes
 * nothing.
 * @param ours the relative paths of the links we made.
 * @returns the commit that the link shows now; null if there is none.
 * @throws FleetError RESERVED, SYMLINK, OWNER, NOT_DIR, OCCUPIED, NESTED.
 */
export async function inspectLink(
  layout: Layout,
  path: RelativePath,
  ours: readonly string[],
  uid: number,
): Promise<CommitId | null> {
  await refuseReserved(layout, path);
  for (const other of ours) {
    if (other === path) continue;
    if (path.startsWith(`${other}/`))
      throw FleetError.of('NESTED', `${other} is one of our links, so ${path} would be inside a release`, NESTED);
    if (other.startsWith(`${path}/`)) throw FleetError.of('NESTED', `${other} is deployed below ${path}`, NESTED);
  }
  const segments = path.split('/');
  let at = layout.root;
  checkDirectory(at, await statOfRoot(at, uid), uid);
  for (const segment of segments.slice(0, -1)) {
    at = join(at, segment);
    const found = await lstatOrNull(at);
    if (!found) return null;
    checkDirectory(at, found, uid);
  }
  return await ownLink(layout, linkOf(layout, path));
}

async function refuseReserved(layout: Layout, path: RelativePath): Promise<void> {
  const wanted = join(await realpath(layout.root), path);
  for (const taken of [layout.state, join(layout.root, '.gitfleet')]) {
    const real = await realpath(taken).catch(() => resolve(taken));
    if (contains(real, wanted) || contains(wanted, real)) {
      throw FleetError.of('RESERVED', `${path} is, contains or lies in the agent's own ${taken}`);
    }
  }
}

const NESTED = 'choose another relativePath, or remove the old link on the server first';

const contains = (outer: string, inner: string): boolean => inner === outer || inner.startsWith(outer + sep);

/** @throws FleetError SYMLINK, NOT_DIR, OWNER. */
export function checkOwner(path: string, found: Stats, uid: number): void {
  if (found.isSymbolicLink()) throw FleetError.of('SYMLINK', `${path} is a symbolic link, not a directory of its own`);
  if (!found.isDirectory()) throw FleetError.of('NOT_DIR', `${path} is not a directory`);
  // Root may own the directories that the agent's user works in. Any other owner could replace our link.
  if (found.uid !== uid && found.uid !== 0)
    throw FleetError.of('OWNER', `${path} belongs to user ${found.uid}, not to the agent`);
}

function checkDirectory(path: string, found: Stats, uid: number): void {
  checkOwner(path, found, uid);
  // Sticky: others may write there, but cannot rename or remove our link.
  if ((found.mode & 0o1000) === 0) checkWriters(path, found);
}

/** @throws FleetError OWNER if users other than the agent's and root can write. */
export function checkWriters(path: string, found: Stats): void {
  if ((found.mode & 0o002) !== 0) throw FleetError.of('OWNER', `${path} can be written by everybody`);
  // If each user has a group of their own, a umask of 002 makes directories of mode 0775 that no other user can write;
  // the group of root has only root. Any other group has members who could put their own link in place of ours.
  const group = (found.mode & 0o020) !== 0 && found.gid !== 0 && found.gid !== process.getgid?.();
  if (group) throw FleetError.of('OWNER', `${path} can be written by group ${found.gid}, which is not the agent's own`);
}

/** The root itself may be a symbolic link that the agent's user or root owns. Below it, none is followed. */
export async function statOfRoot(root: string, uid: number): Promise<Stats> {
  const found = await lstat(root);
  return found.isSymbolicLink() && (found.uid === uid || found.uid === 0) ? await stat(root) : found;
}

/** The commit that our link shows; null if absent. Anything else there is refused, never deleted. */
async function ownLink(layout: Layout, link: string): Promise<CommitId | null> {
  const found = await lstatOrNull(link);
  if (!found) return null;
  if (!found.isSymbolicLink()) {
    throw FleetError.of('OCCUPIED', `${link} is there already and is not a link of ours; it was not touched`);
  }
  const shown = relative(layout.releases, resolve(dirname(link), await readlink(link)));
  if (isCommitId(shown)) return shown;
  throw FleetError.of('OCCUPIED', `${link} is a link that leads elsewhere; it was not touched`);
}

async function lstatOrNull(path: string): Promise<Stats | null> {
  return await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    if (error.code === 'ENOTDIR') throw FleetError.of('NOT_DIR', `${dirname(path)} is not a directory`);
    throw error;
  });
}
