import { lstat, readFile } from 'node:fs/promises';

/** Far more than any file that is read as a whole contains. */
const MAX_BYTES = 16 * 1024 * 1024;

/**
 * The text of a small file; null if it does not exist. Links are not followed. @throws the system's errors; EFTYPE if
 * it is no regular file, EFBIG if it is larger than `maxBytes`.
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

/** For `catch`: null for these system error codes; everything else is rethrown. */
export const nullIf =
  (...codes: string[]) =>
  (error: NodeJS.ErrnoException): null => {
    if (codes.includes(error.code ?? '')) return null;
    throw error;
  };

const systemError = (code: string, words: string): Error => Object.assign(new Error(words), { code });
