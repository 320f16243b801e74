import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Replaces a file so that a crash or a power loss at any instant leaves either the old or the new content, complete:
 * written aside, fsynced, renamed, directory fsynced.
 */
export async function writeDurably(file: string, content: string, mode = 0o600): Promise<void> {
  const aside = `${file}.new`;
  await writeAside(aside, content, mode);
  await rename(aside, file);
  await syncDirectory(dirname(file));
}

/**
 * Writes and fsyncs a new file. A half-written one of an earlier process is replaced.
 * @throws ERR_FS_EISDIR if there is a directory: we never leave one, so it is not touched.
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

/** There is almost never an old file, so checking first would take longer than handling EEXIST. */
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
