import { chmod, lstat, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Random } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';

interface DiscardParts {
  readonly random: Random;
  readonly log: Logger;
}

/**
 * Deletes what is at `path`; succeeds if there is nothing. Undeletable files never block the caller: our own read-only
 * directories, which builds leave, are made writable. What still remains, such as files of another user, is set aside
 * under a new name beside `path`, with a log line.
 * @throws only if it cannot even be renamed, such as a mount point.
 */
export async function discard({ random, log }: DiscardParts, path: string): Promise<void> {
  if (await isDeleted(path)) return;
  await makeWritable(path);
  if (await isDeleted(path)) return;
  const name = basename(path).replace(/^\.removing-/, '');
  const aside = join(dirname(path), `${UNDELETABLE}${name}-${Math.floor(random() * 2 ** 40).toString(36)}`);
  await rename(path, aside);
  log.warn({ path: aside }, 'this cannot be deleted and was set aside: remove it as its owner or as root');
}

const UNDELETABLE = '.undeletable-';

/** What earlier calls set aside in `directory` and still cannot be deleted. Deletes the rest. */
export async function undeletableIn(directory: string): Promise<string[]> {
  const names = await readdir(directory).catch(() => []);
  const paths = names.filter((name) => name.startsWith(UNDELETABLE)).map((name) => join(directory, name));
  const deleted = await Promise.all(paths.map(isDeleted));
  return paths.filter((_, at) => !deleted[at]);
}

const isDeleted = (path: string): Promise<boolean> =>
  rm(path, { recursive: true, force: true }).then(
    () => true,
    () => false,
  );

/** Recursively, for directories that are ours; links are not followed. */
async function makeWritable(path: string): Promise<void> {
  const found = await lstat(path).catch(() => null);
  if (!found?.isDirectory()) return;
  if (found.uid === process.geteuid?.()) await chmod(path, (found.mode & 0o7777) | 0o700).catch(() => {});
  for (const name of await readdir(path).catch(() => [])) await makeWritable(join(path, name));
}
