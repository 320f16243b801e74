import { chmod, lstat, mkdir, readlink, symlink } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { FleetError } from '../../runtime/errors.ts';
import { nullIf } from '../../runtime/read-if-there.ts';
import type { Layout } from './layout.ts';
import { openFrom } from './releases.ts';

/**
 * Replaces each shared path of a release by a link to a directory that all releases share. Repeatable; done before any
 * link shows the release. The content of the shared directories belongs to the application and is never touched. Every
 * user can enter the directories that are created here, whatever the umask.
 * @param paths plain relative paths, as the settings checked them.
 * @throws FleetError SHARED_TAKEN if the commit has something there.
 */
export async function linkShared(layout: Layout, release: string, paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const home = join(layout.shared, path);
    const made = await mkdir(home, { recursive: true });
    if (made !== undefined) await openFrom(made, home);
    const link = join(release, path);
    await makeParents(release, path);
    const target = relative(dirname(link), home);
    const found = await lstat(link).catch(nullIf('ENOENT'));
    if (found === null) await symlink(target, link);
    else if (!found.isSymbolicLink() || (await readlink(link)) !== target) throw taken(path, path);
  }
}

/** As in .gitignore: the links themselves, at their places. */
export const sharedPatterns = (paths: readonly string[]): string[] => paths.map((path) => `/${path}`);

/** Parents are the commit's own directories, or created here. A link in the commit would lead out of the release. */
async function makeParents(release: string, path: string): Promise<void> {
  const segments = path.split('/').slice(0, -1);
  let at = release;
  for (const segment of segments) {
    at = join(at, segment);
    const found = await lstat(at).catch(nullIf('ENOENT'));
    if (found === null) {
      await mkdir(at);
      await chmod(at, 0o755);
    } else if (!found.isDirectory()) throw taken(path, relative(release, at));
  }
}

const taken = (path: string, where: string): FleetError =>
  FleetError.of(
    'SHARED_TAKEN',
    `the commit has something at ${where}, where the shared path ${path} belongs`,
    `remove ${where} from the repository (a .gitkeep too: the agent makes the directory), or from agent.shared`,
  );
