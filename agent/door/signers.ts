import { lstat, realpath } from 'node:fs/promises';
import { dirname } from 'node:path';
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
    const real = await realpath(file);
    const open = await openToOthers(real);
    if (open !== null) throw FleetError.of('SIGNERS_FILE', `${file}: others than root may change ${open}`);
    const text = await readIfThere(real, MAX_BYTES);
    if (text !== null) return text;
    throw FleetError.of('SIGNERS_FILE', `${file} does not exist`);
  } catch (error) {
    if (error instanceof FleetError) throw error;
    throw FleetError.of('SIGNERS_FILE', `${file} cannot be read: ${(error as Error).message}`, undefined, error);
  }
}

/** The first of the file and the directories above it that others than root may change; null: none. */
async function openToOthers(path: string): Promise<string | null> {
  const { uid, mode } = await lstat(path);
  const sticky = (mode & 0o1000) !== 0; // In such a directory only root can move a file of root.
  if (uid !== 0 || ((mode & 0o022) !== 0 && !sticky)) return path;
  const above = dirname(path);
  return above === path ? null : await openToOthers(above);
}
