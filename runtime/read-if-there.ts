import { lstat, readFile } from 'node:fs/promises';

/** Far above what any file holds that is read whole. */
const MAX_BYTES = 16 * 1024 * 1024;

/**
 * The text of a small file; null where there is none. A link is not followed, and what is no plain file, or larger than
 * `maxBytes`, is not read. @throws the system's errors; EFTYPE or EFBIG for what is not read.
 */
export async function readIfThere(file: string, maxBytes = MAX_BYTES): Promise<string | null> {
  const found = await lstat(file).catch(nullIf('ENOENT'));
  if (found === null) return null;
  if (!found.isFile()) throw systemError('EFTYPE', `${file} is not a plain file`);
  if (found.size > maxBytes) {
    throw systemError('EFBIG', `${file} is larger than ${maxBytes} bytes`);
  }
  return await readFile(file, 'utf8').catch(nullIf('ENOENT'));
}

/** For `catch`: null in the place of these codes of the system; everything else is thrown on. */
export const nullIf =
  (...codes: string[]) =>
  (error: NodeJS.ErrnoException): null => {
    if (codes.includes(error.code ?? '')) return null;
    throw error;
  };

const systemError = (code: string, words: string): Error => Object.assign(new Error(words), { code });
