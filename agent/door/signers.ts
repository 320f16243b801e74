import type { Stats } from 'node:fs';
import { lstat, readlink } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { FleetError } from '../../runtime/errors.ts';
import { readIfThere } from '../../runtime/read-if-there.ts';

const MAX_BYTES = 1024 * 1024;

/**
 * The list of signers, read again at each use so that keys rotate without a restart. It counts only while root alone
 * can change it: the steps of a release run as the agent's user, and must not be able to add a key to it.
 * @throws FleetError SIGNERS_FILE
 */
export async function readSigners(file: string): Promise<string> {
  try {
    const text = await readIfThere(await ownedByRoot(file), MAX_BYTES);
    if (text !== null) return text;
    throw FleetError.of('SIGNERS_FILE', `${file} does not exist`);
  } catch (error) {
    if (error instanceof FleetError) throw error;
    throw FleetError.of('SIGNERS_FILE', `${file} cannot be read: ${(error as Error).message}`, undefined, error);
  }
}

/**
 * Where the file is, without links. Every directory on the way is checked, those of links too: a link that others may
 * replace could lead to an old list of root, with a key that was removed since. What root alone can change is not
 * replaced between the check and the read.
 */
async function ownedByRoot(file: string): Promise<string> {
  let at = '/';
  let links = 0;
  await refuseOpen(file, at);
  for (const names = file.split('/'); names.length > 0; ) {
    const next = join(at, names.shift() ?? '');
    if (next === at) continue;
    if (!(await refuseOpen(file, next)).isSymbolicLink()) {
      at = next;
      continue;
    }
    links++;
    if (links > MAX_LINKS) throw FleetError.of('SIGNERS_FILE', `${file}: more than ${MAX_LINKS} links`);
    const target = await readlink(next);
    if (isAbsolute(target)) at = '/';
    names.unshift(...target.split('/'));
  }
  return at;
}

/** As the kernel. */
const MAX_LINKS = 40;

/** @throws FleetError SIGNERS_FILE: others than root may change it. */
async function refuseOpen(file: string, path: string): Promise<Stats> {
  const found = await lstat(path);
  const isSticky = found.isDirectory() && (found.mode & 0o1000) !== 0; // There only root can move a file of root.
  const isOpen = (found.mode & 0o022) !== 0 && !isSticky && !found.isSymbolicLink(); // The mode of a link means nothing.
  if (found.uid === 0 && !isOpen) return found;
  throw FleetError.of('SIGNERS_FILE', `${file}: others than root may change ${path}`);
}
