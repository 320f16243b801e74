import type { Dirent } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Removes what a killed git leaves in our own store: locks that make every later command fail, and half packs that only
 * fill the disk. Safe only while no git of ours writes: within the store's writing turn, or at start-up after orphans
 * were ended. Never used on a repository that is not ours.
 */
export async function removeStaleOfFetch(store: string): Promise<void> {
  const top = ['shallow.lock', 'packed-refs.lock', 'packed-refs.new', 'config.lock', 'HEAD.lock', 'gc.pid'];
  await Promise.all([
    ...top.map((name) => rm(join(store, name), { recursive: true, force: true })),
    removeBelow(join(store, 'refs'), (name) => name.endsWith('.lock')),
    removeIn(store, (name) => /^shallow_/.test(name)),
    removeIn(join(store, 'objects', 'pack'), (name) => /^(tmp_|\.tmp-)|\.keep$|\.lock$/.test(name)),
    removeIn(join(store, 'objects'), (name) => /^(tmp_|incoming-)/.test(name)),
  ]);
}

/** The whole store, at start-up: also half-written loose objects, locks of work trees and packs without an index. */
export async function removeStaleOfStore(store: string): Promise<void> {
  await removeStaleOfFetch(store);
  const objects = join(store, 'objects');
  for (const fan of (await list(objects)).filter(({ name }) => /^[0-9a-f]{2}$/.test(name))) {
    await removeIn(join(objects, fan.name), (name) => name.startsWith('tmp_obj_'));
  }
  const packs = (await list(join(objects, 'pack'))).map(({ name }) => name);
  const lonely = packs.filter((name) => name.endsWith('.pack') && !packs.includes(name.replace(/pack$/, 'idx')));
  await Promise.all(lonely.map((name) => rm(join(objects, 'pack', name), { recursive: true, force: true })));
  for (const admin of await list(join(store, 'worktrees')))
    await removeStaleOfWorkTree(join(store, 'worktrees', admin.name));
}

/** The index of a part of a work tree, while git fills it. */
export const PART = 'gitfleet-part-';

/** Removes what a killed write into one work tree leaves. */
export async function removeStaleOfWorkTree(admin: string): Promise<void> {
  const left = (name: string) => /^sharedindex|\.lock$|\.new$/.test(name) || name.startsWith(PART);
  await removeIn(admin, left);
}

async function removeIn(directory: string, which: (name: string) => boolean): Promise<void> {
  const found = (await list(directory)).filter(({ name }) => which(name));
  await Promise.all(found.map(({ name }) => rm(join(directory, name), { recursive: true, force: true })));
}

async function removeBelow(directory: string, which: (name: string) => boolean): Promise<void> {
  for (const entry of await list(directory)) {
    const path = join(directory, entry.name);
    if (which(entry.name)) await rm(path, { recursive: true, force: true });
    else if (entry.isDirectory()) await removeBelow(path, which);
  }
}

async function list(directory: string): Promise<Dirent[]> {
  return readdir(directory, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return [];
    throw error;
  });
}
