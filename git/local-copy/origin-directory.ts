import { lstatSync, statSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../runtime/clock.ts';
import type { RepositoryUrl } from '../../schemas/values.ts';

/** The directory from which the objects of the repository at a url may be read without git; null: leave it to git. */
export type OriginDirectories = (url: RepositoryUrl) => Promise<string | null>;

/** A local disk answers statfs in a tenth of a millisecond. */
const PATIENCE_MS = 200;

/**
 * Accepts a bare repository on a local disk that belongs to this very user; git itself refuses directories of other
 * users (safe.directory in git-config(1)). Reading a disk of another machine can hang the whole process, so the kind of
 * disk is queried once per process and path, with a short timeout.
 */
export function createOriginDirectories(clock: Clock): OriginDirectories {
  const asked = new Map<string, Promise<boolean>>();
  return async (url) => {
    const path = /^file:\/\/((?:\/[^/%]+)+)\/?$/.exec(url)?.[1];
    if (path === undefined) return null;
    const local = asked.get(path) ?? within(clock, PATIENCE_MS, isOnLocalDisk(join(path, 'objects')));
    asked.set(path, local);
    return (await local) && isOurs(path) ? join(path, 'objects') : null;
  };
}

/** False if there is no answer in time. */
function within(clock: Clock, ms: number, answer: Promise<boolean>): Promise<boolean> {
  return new Promise((resolve) => {
    const cancel = clock.after(ms, () => resolve(false));
    void answer.then((said) => {
      cancel();
      resolve(said);
    });
  });
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
  try {
    const [top, objects] = [statSync(path), lstatSync(join(path, 'objects'))];
    return objects.isDirectory() && [top, objects].every(({ uid }) => uid === process.geteuid?.());
  } catch {
    return false;
  }
}
