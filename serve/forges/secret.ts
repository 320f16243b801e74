import { open } from 'node:fs/promises';
import { FleetError } from '../../runtime/errors.ts';
import { isOpenToOthers } from '../../runtime/secrets/secret-file.ts';

const MOST = 4_096;

/**
 * The secret in the first line of a file: a token, a signing key, the address of an incoming webhook. Read at each use,
 * so that a new one counts without a restart. The value is in no error.
 * @throws FleetError SETTINGS if it cannot be read, others may read it, or it holds nothing usable.
 */
export async function readSecretLine(file: string): Promise<string> {
  const handle = await open(file).catch((error: NodeJS.ErrnoException) => {
    throw refused(file, `cannot be read (${error.code})`, 'check the name in the settings and the owner of the file');
  });
  try {
    const stat = await handle.stat();
    if (!stat.isFile()) throw refused(file, 'is not a file', 'name a file with one line: the secret');
    if (isOpenToOthers(stat)) throw refused(file, 'holds a secret, and others may read it', `chmod 600 ${file}`);
    if (stat.size > MOST) throw refused(file, `has more than ${MOST} bytes`, 'put nothing but the secret into it');
    const line = (await handle.readFile('utf8')).split('\n')[0]?.trim() ?? '';
    if (/^[\x21-\x7e]+$/.test(line)) return line;
    throw refused(file, 'holds no secret in its first line', 'put the secret there: one word of plain characters');
  } finally {
    await handle.close();
  }
}

const refused = (file: string, why: string, hint: string) => FleetError.of('SETTINGS', `${file} ${why}`, hint);
