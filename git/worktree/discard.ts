import { chmod, lstat, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Random } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';

interface DiscardParts {
  readonly random: Random;
  readonly log: Logger;
}

/**
 * Frees `path` of what is only to be thrown away; absent is success. What cannot be deleted never decides anything: a
 * build leaves read-only directories, which are made writable where they are ours; what still stays, such as files of
 * another user, is set aside under a name of its own beside `path` and said in the log.
 * @throws only where it cannot even be renamed, such as a mount point.
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

/** What lies set aside in `directory` from earlier; what can be deleted by now is gone. */
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

/** Directories that are ours, all the way down; links are not followed. */
async function makeWritable(path: string): Promise<void> {
  const found = await lstat(path).catch(() => null);
  if (!found?.isDirectory()) return;
  if (found.uid === process.geteuid?.()) await chmod(path, (found.mode & 0o7777) | 0o700).catch(() => {});
  for (const name of await readdir(path).catch(() => [])) await makeWritable(join(path, name));
}
