import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Replaces a file so that a crash or a power loss at any instant leaves the old content or the new one, whole:
 * written aside, fsynced, renamed, directory fsynced.
 */
export async function writeDurably(file: string, content: string, mode = 0o600): Promise<void> {
  const aside = `${file}.new`;
  await writeAside(aside, content, mode);
  await rename(aside, file);
  await syncDirectory(dirname(file));
}

/**
 * A file that is there whole and lasts, in the place of one that an earlier process may have left half-written.
 * @throws ERR_FS_EISDIR for a directory there: nothing of ours left it, so it is not touched, whatever it holds.
 */
export async function writeAside(file: string, content: string | Buffer, mode: number): Promise<void> {
  const handle = await openAgain(file, mode);
  try {
    await handle.writeFile(content);
    await handle.chmod(mode);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** There is nearly never one: asking first whether there is takes longer than being told. */
async function openAgain(file: string, mode: number): Promise<FileHandle> {
  try {
    return await open(file, 'wx', mode);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    await rm(file, { force: true });
    return await open(file, 'wx', mode);
  }
}

/** Makes renames and links in `directory` survive a power loss. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
