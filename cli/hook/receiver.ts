import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Whether this process can speak for whoever receives pushes into a repository: a credential that it can read may be
 * closed to that user. Null: it can; else why it cannot, in words.
 */
export async function notTheReceiver(gitDir: string): Promise<string | null> {
  const me = process.geteuid?.() ?? 0;
  const { uid: owner } = await stat(gitDir);
  const writes = await access(join(gitDir, 'objects'), constants.W_OK).then(
    () => true,
    () => false,
  );
  return isReceiver(me, owner, writes)
    ? null
    : `${gitDir} belongs to the user with uid ${owner}, and this is uid ${me}`;
}

/** Several may receive into one repository that they all may write; root may write everywhere, and receives nowhere else. */
export const isReceiver = (me: number, owner: number, writes: boolean): boolean => me === owner || (me !== 0 && writes);
