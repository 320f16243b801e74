import type { Stats } from 'node:fs';
import { lstat, readlink, realpath, stat } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { FleetError } from '../../runtime/errors.ts';
import { isCommitId } from '../../schemas/commit-id.ts';
import type { CommitId, RelativePath } from '../../schemas/values.ts';

/** Where an agent puts things: its root, its state and the directory of one app's releases below the root. */
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

/** The app's directory name: its znode path with `+` for `/`, which no znode segment of ours contains. */
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
 * Decides whether `relativePath` may be our link, looking at every step from the root down and never above it: parents
 * are real directories that only we can write, the last segment is absent or our own link. Touches nothing.
 * @param ours the relative paths of the links we made.
 * @returns the commit the link shows now, null where there is none.
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
  // Root may own what the agent's user works in; anybody else could swap what we link.
  if (found.uid !== uid && found.uid !== 0)
    throw FleetError.of('OWNER', `${path} belongs to user ${found.uid}, not to the agent`);
}

function checkDirectory(path: string, found: Stats, uid: number): void {
  checkOwner(path, found, uid);
  // Sticky: others may write there, but not rename or remove our link.
  if ((found.mode & 0o1000) === 0) checkWriters(path, found);
}

/** @throws FleetError OWNER where others than the agent's user and root can write. */
export function checkWriters(path: string, found: Stats): void {
  if ((found.mode & 0o002) !== 0) throw FleetError.of('OWNER', `${path} can be written by everybody`);
  // Where each user has a group of his own, a umask of 002 makes 0775 directories for no other user; root's group
  // is root. Every other group has members who could put their own link in the place of ours.
  const group = (found.mode & 0o020) !== 0 && found.gid !== 0 && found.gid !== process.getgid?.();
  if (group) throw FleetError.of('OWNER', `${path} can be written by group ${found.gid}, which is not the agent's own`);
}

/** A person may name the root by a link of theirs or of root's: below it none is followed. */
export async function statOfRoot(root: string, uid: number): Promise<Stats> {
  const found = await lstat(root);
  return found.isSymbolicLink() && (found.uid === uid || found.uid === 0) ? await stat(root) : found;
}

/** The commit our link shows; null when absent. Anything else that is there is refused, never deleted. */
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
