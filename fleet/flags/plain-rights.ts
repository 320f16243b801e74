import { parseFlags } from '../../schemas/flags.ts';
import { isCode } from '../../zookeeper/errors.ts';
import { type AclEntry, ANY_VERSION } from '../../zookeeper/session.ts';
import { type Access, isOpen } from '../access.ts';
import type { FlagsParts } from './change-flags.ts';
import { boundDirectory } from './plain-binding.ts';

/* Who may do what in a directory of plain flags, which is no part of the app's own tree. */

/**
 * Takes the directory from clients without a credential, as `init --close` takes the app: what everybody may change in
 * it gets the rights of a directory that was bound in a closed app. An operator may open it again to some programs.
 */
export async function closePlain({ session, znodes, access }: Omit<FlagsParts, 'now'>): Promise<void> {
  const document = await session.get(znodes.flags);
  const { value } = parseFlags(document?.data ?? Buffer.alloc(0));
  const directory = await boundDirectory({ session, znodes }, value);
  if (directory === null) return;
  const names = (await session.children(directory)) ?? [];
  const below = names.flatMap((name) => [`${directory}/${name}`, `${directory}/${name}/enabled`]);
  // After the directory, so that no client makes open ones any more.
  for (const path of [directory, ...below]) {
    const found = await session.getAcl(path).catch(() => null);
    if (found === null || !isOpen(found.acl)) continue;
    await session.setAcl(path, directoryAcl(access), ANY_VERSION).catch((error: unknown) => {
      if (!isCode(error, 'NO_NODE')) throw error;
    });
  }
}

/** As open or closed as the directory is: the programs that use it have rights there. */
export function aclBelow(above: readonly AclEntry[], access: Access): readonly AclEntry[] {
  // ZooKeeper shows the hashes of digests only to those who may change the list.
  const shown = above.filter(({ scheme, id }) => scheme !== 'digest' || !id.endsWith(':x'));
  return shown.length === above.length ? above : merged([...directoryAcl(access), ...shown]);
}

/** Who may change flags may change this directory: the rights on `flags`, and those on the names below `flag-changes`. */
export const directoryAcl = (access: Access): AclEntry[] =>
  merged([...access.of('flags'), ...access.of('flagChanges')]);

/** One entry for each who. */
function merged(entries: readonly AclEntry[]): AclEntry[] {
  const letters = new Map<string, AclEntry>();
  for (const entry of entries) {
    const key = `${entry.scheme}:${entry.id}`;
    const permissions = [...new Set([...(letters.get(key)?.permissions ?? ''), ...entry.permissions])].join('');
    letters.set(key, { ...entry, permissions });
  }
  return [...letters.values()];
}
