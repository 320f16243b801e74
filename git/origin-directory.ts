import { lstatSync, statSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { RepositoryUrl } from '../schemas/values.ts';

/** Where the objects of the repository at a url may be read without git; null: only git is to ask it. */
export type OriginDirectories = (url: RepositoryUrl) => string | null;

/**
 * That is right for a bare repository on a local disk that belongs to this very user: to others' directories git itself
 * says no (safe.directory in git-config(1)). A look at another machine's disk can hang, and with it all of us, so what
 * disk it is on is asked aside, once in the life of this process; until that is known the answer is null.
 */
export function createOriginDirectories(): OriginDirectories {
  const local = new Map<string, boolean>();
  return (url) => {
    const path = /^file:\/\/((?:\/[^/%]+)+)\/?$/.exec(url)?.[1];
    if (path === undefined) return null;
    const known = local.get(path);
    if (known === undefined) {
      local.set(path, false);
      void isOnLocalDisk(path).then((found) => local.set(path, found));
    }
    return known && isOurs(path) ? join(path, 'objects') : null;
  };
}

/** Magic numbers of statfs(2): ext2 to ext4, xfs, btrfs, tmpfs, overlayfs, f2fs; and that of zfs. */
const LOCAL = new Set([0xef53, 0x58465342, 0x9123683e, 0x01021994, 0x794c7630, 0xf2f52010, 0x2fc12fc1]);

async function isOnLocalDisk(path: string): Promise<boolean> {
  return statfs(path).then(
    ({ type }) => LOCAL.has(type),
    () => false,
  );
}

function isOurs(path: string): boolean {
  const [top, objects] = [statSync(path, QUIETLY), lstatSync(join(path, 'objects'), QUIETLY)];
  return objects?.isDirectory() === true && [top, objects].every((each) => each?.uid === process.geteuid?.());
}

const QUIETLY = { throwIfNoEntry: false } as const;
