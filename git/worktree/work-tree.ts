import { chmod, lstat, mkdir, readdir, readFile, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Random } from '../../runtime/clock.ts';
import { syncDirectory } from '../../runtime/durable-file.ts';
import type { CommitId } from '../../schemas/values.ts';
import type { Repository } from '../repository/repository.ts';
import { gitError } from '../run/errors.ts';
import type { GitCall } from '../run/process.ts';
import { discard } from './discard.ts';

/**
 * A work tree and what the store keeps about it (its HEAD and index, below worktrees/), as in gitrepository-layout(5).
 * They point at each other: `.git` of the tree names the admin directory, whose `gitdir` names the tree. We make the
 * pair ourselves, because a killed `git worktree add` leaves one that looks whole and is locked.
 *
 * A pair counts only if both directions agree; anything else is not ours and is made again. A move or removal first
 * notes its destination, so that start-up can finish it.
 */
export interface WorkTree {
  readonly directory: string;
  readonly admin: string;
}

/** The store as its work trees need it. */
export interface WorkTreeStore extends Repository {
  readonly random: Random;
  /** The index updates in progress, by admin directory. */
  readonly catchingUp: Map<string, Promise<void>>;
}

/** For a git that writes the index or HEAD of a work tree: if it is killed, its locks must not block later ones. */
export function writingIn({ admin, directory }: WorkTree, signal?: AbortSignal): GitCall {
  const locks = ['index.lock', 'HEAD.lock'].map((name) => join(admin, name));
  return { gitDir: admin, workTree: directory, signal, locks };
}

const MOVING = 'gitfleet-moving';
const REMOVING = 'gitfleet-removing';

export async function findWorkTree(store: Pick<Repository, 'directory'>, directory: string): Promise<WorkTree | null> {
  const admin = await adminOf(store, directory);
  if (admin === null) return null;
  const back = await read(join(admin, 'gitdir'));
  return back !== null && (await isGitFileOf(directory, back)) ? { directory, admin } : null;
}

/** The path may lead through others' links above our directories; the tree itself must not be a link. */
async function isGitFileOf(directory: string, file: string): Promise<boolean> {
  if (file === join(directory, '.git')) return true;
  const real = async (path: string) => join(await realpath(dirname(path)), basename(path));
  if (basename(file) !== '.git') return false;
  const [named, asked] = await Promise.all([dirname(file), directory].map((path) => real(path).catch(() => null)));
  return named !== null && named === asked;
}

/** Makes an empty work tree at `directory`. A file or link there is refused, never deleted. */
export async function addWorkTree(store: WorkTreeStore, directory: string, commitId: CommitId): Promise<WorkTree> {
  await refuseOthers(directory);
  const admin = await makeAdmin(store, directory, commitId);
  await store.failpoint('spare.admin-made');
  await mkdir(directory, { recursive: true, mode: 0o755 });
  await chmod(directory, 0o755);
  await pointTo(directory, admin);
  await store.failpoint('spare.directory-made');
  return { directory, admin };
}

/**
 * Registers a directory of files as a work tree of `commitId` after the store lost what it knew about it. Touches no
 * file. Does not check that the files are the commit's; an inspection does.
 */
export async function attachWorkTree(store: WorkTreeStore, directory: string, commitId: CommitId): Promise<WorkTree> {
  const admin = await makeAdmin(store, directory, commitId);
  const tree = { directory, admin };
  const call = writingIn(tree);
  await store.git.output(['read-tree', commitId], call);
  await store.git.run(['update-index', '-q', '--refresh'], call); // Exits with 1 if files differ.
  await pointTo(directory, admin);
  return tree;
}

/** The path from the admin directory to the store, in git's format. */
const COMMON = '../..\n';

/** Damage to this one line must not make a whole release unreadable. */
export async function repairCommon({ admin }: WorkTree): Promise<void> {
  const file = join(admin, 'commondir');
  if ((await readFile(file, 'utf8').catch(() => '')) === COMMON) return;
  await rm(file, { recursive: true, force: true });
  await writeFile(file, COMMON);
}

async function makeAdmin(store: WorkTreeStore, directory: string, commitId: CommitId): Promise<string> {
  const name = `${basename(directory).slice(0, 20)}-${Math.floor(store.random() * 2 ** 40).toString(36)}`;
  const admin = join(store.directory, 'worktrees', name);
  await mkdir(admin, { recursive: true, mode: 0o700 });
  await writeFile(join(admin, 'commondir'), COMMON);
  await writeFile(join(admin, 'gitdir'), `${join(directory, '.git')}\n`);
  await writeFile(join(admin, 'HEAD'), `${commitId}\n`);
  return admin;
}

async function pointTo(directory: string, admin: string): Promise<void> {
  const aside = join(directory, '.git.gitfleet-new');
  await writeFile(aside, `gitdir: ${admin}\n`, { mode: 0o644 });
  await chmod(aside, 0o644);
  await rename(aside, join(directory, '.git'));
}

/** Renames a work tree. Readers of the new name see it whole or not at all. */
export async function moveWorkTree(store: WorkTreeStore, tree: WorkTree, to: string): Promise<WorkTree> {
  if (await lstat(to).catch(() => null)) throw inTheWay(to);
  await store.catchingUp.get(tree.admin); // It works in the directory that moves.
  await mkdir(dirname(to), { recursive: true, mode: 0o755 });
  await writeFile(join(tree.admin, MOVING), `${to}\n`);
  await store.failpoint('move.marked');
  await rename(tree.directory, to);
  await store.failpoint('move.renamed');
  await pointBack(tree.admin, to);
  await syncDirectory(dirname(to));
  await store.failpoint('move.repaired');
  return { directory: to, admin: tree.admin };
}

/** Deletes a work tree after renaming it, so that a tree under its own name is always whole. */
export async function removeWorkTree(store: WorkTreeStore, directory: string): Promise<void> {
  const admin = await adminOf(store, directory);
  if (admin !== null) await store.catchingUp.get(admin);
  const gone = removingNameOf(directory);
  await discard(store, gone);
  // The note needs disk space, and a full disk is a reason to remove a work tree. Start-up also finishes without the
  // note.
  if (admin !== null) await writeFile(join(admin, REMOVING), `${gone}\n`).catch(() => {});
  await store.failpoint('remove.marked');
  await rename(directory, gone).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
  await store.failpoint('remove.renamed');
  await discard(store, gone);
  await store.failpoint('remove.deleted');
  if (admin !== null) await rm(admin, { recursive: true, force: true });
}

const removingNameOf = (directory: string) => join(dirname(directory), `.removing-${basename(directory)}`);

/** Start-up: finishes moves and removals, and forgets admin directories whose tree is gone. */
export async function recoverWorkTrees(store: WorkTreeStore): Promise<void> {
  const all = join(store.directory, 'worktrees');
  for (const name of await readdir(all).catch(() => [])) {
    const admin = join(all, name);
    const removing = await read(join(admin, REMOVING));
    const moving = await read(join(admin, MOVING));
    const back = await read(join(admin, 'gitdir'));
    if (removing !== null && isRemovingName(removing)) {
      await discard(store, removing);
      const tree = back === null ? null : dirname(back);
      if (tree === null || (await adminOf(store, tree)) !== admin) await rm(admin, { recursive: true, force: true });
      else await removeWorkTree(store, tree); // Marked, not yet renamed.
    } else if (moving !== null && (await adminOf(store, moving)) === admin) {
      await pointBack(admin, moving);
    } else if (back === null || (await adminOf(store, dirname(back))) !== admin) {
      store.log.info({ admin }, 'a half-made work tree is forgotten');
      if (back !== null && isPlain(dirname(back))) await discard(store, removingNameOf(dirname(back)));
      await rm(admin, { recursive: true, force: true });
    } else {
      await rm(join(admin, MOVING), { force: true });
    }
  }
}

/** A note may be damaged: only a path that we could have written is deleted. */
const isRemovingName = (path: string): boolean => isPlain(path) && basename(path).startsWith('.removing-');
const isPlain = (path: string): boolean => path.startsWith('/') && !/\/\.\.?(\/|$)|\n/.test(path);

/** Every pair in the store. */
export async function allWorkTrees(store: WorkTreeStore): Promise<WorkTree[]> {
  const all = join(store.directory, 'worktrees');
  const names = await readdir(all).catch(() => []);
  const backs = await Promise.all(names.map((name) => read(join(all, name, 'gitdir'))));
  const found = await Promise.all(backs.map((back) => back && findWorkTree(store, dirname(back))));
  return found.filter((tree): tree is WorkTree => Boolean(tree));
}

async function pointBack(admin: string, directory: string): Promise<void> {
  await writeFile(join(admin, 'gitdir.new'), `${join(directory, '.git')}\n`);
  await rename(join(admin, 'gitdir.new'), join(admin, 'gitdir'));
  await rm(join(admin, MOVING), { force: true });
}

/** The admin directory that the `.git` file names, if it is one of this store. */
async function adminOf(store: Pick<Repository, 'directory'>, directory: string): Promise<string | null> {
  const forward = await read(join(directory, '.git'));
  if (forward === null || !forward.startsWith('gitdir: ')) return null;
  const named = forward.slice('gitdir: '.length);
  const ours = join(store.directory, 'worktrees');
  // Exactly as we wrote it, without `..` or a trailing slash, so no link in between can lead elsewhere.
  if (named === join(ours, basename(named)) && (await isDirectory(named))) return named;
  const real = (path: string) => realpath(path).catch(() => null);
  const [admin, all] = await Promise.all([real(named), real(ours)]);
  if (admin === null || all === null || dirname(admin) !== all) return null;
  return join(ours, basename(admin));
}

const isDirectory = (path: string): Promise<boolean> =>
  lstat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );

async function read(file: string): Promise<string | null> {
  return readFile(file, 'utf8').then(
    (text) => text.replace(/\n$/, ''),
    () => null,
  );
}

/** The place of a work tree must be a directory or empty: a file or a link there is not ours. */
export async function refuseOthers(directory: string): Promise<void> {
  const present = await lstat(directory).catch(() => null);
  if (present && !present.isDirectory()) throw inTheWay(directory);
}

function inTheWay(path: string) {
  return gitError('PATH_TAKEN', `${path} is in the way and not ours`);
}
