import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CommitId } from '../../schemas/values.ts';
import { isCommitId, objectFormatOf } from '../run/commit-id.ts';
import { noteOf } from './commit-origin.ts';
import { FETCH_SETTINGS, FRUGAL_PACKER } from './fetch-command.ts';
import { makeRepository, pinNames, type Repository } from './repository.ts';

/**
 * Copies commits from one store on this machine to another by a fetch from its path. Every object is hashed on the way,
 * so a commit that arrives is proved, and a damaged one does not arrive. The note of its url is copied too.
 *
 * Only the objects of the old store are used: the damage may be in its config, HEAD, a ref or the shallow list, and the
 * commits still be whole. So git reads the objects through a temporary repository that borrows them.
 * @returns for each commit that did not arrive, why.
 */
export async function carryOver(
  old: Repository,
  fresh: Repository,
  commits: readonly CommitId[],
  signal?: AbortSignal,
): Promise<Map<CommitId, unknown>> {
  const lost = new Map<CommitId, unknown>();
  const borrower = borrowerOf(fresh.directory);
  try {
    for (const commitId of commits) {
      try {
        await lendTo(borrower, old, commitId);
        await carry(borrower, fresh, commitId, signal);
        await cp(noteOf(old.directory, commitId), noteOf(fresh.directory, commitId)).catch(() => {}); // Lost: refetched.
      } catch (error) {
        signal?.throwIfAborted();
        lost.set(commitId, error);
      }
    }
  } finally {
    await rm(borrower, { recursive: true, force: true });
  }
  return lost;
}

/** A crash may leave it beside the store. */
export const borrowerOf = (directory: string): string => `${directory}.borrower`;

/** The commit is marked shallow, so its parents do not have to be in the old store. */
async function lendTo(borrower: string, old: Repository, commitId: CommitId): Promise<void> {
  await makeRepository(old, objectFormatOf(commitId), borrower);
  await writeFile(join(borrower, 'objects', 'info', 'alternates'), `${join(old.directory, 'objects')}\n`);
  await writeFile(join(borrower, 'shallow'), `${commitId}\n`);
}

async function carry(from: string, fresh: Repository, commitId: CommitId, signal?: AbortSignal): Promise<void> {
  const options = ['--no-tags', '--no-write-fetch-head', '--no-recurse-submodules', '--no-auto-maintenance'];
  const packer = `--upload-pack=${FRUGAL_PACKER}`;
  await fresh.git.output(
    ['fetch', '--quiet', ...options, packer, '--depth=1', '--', from, `+${commitId}:refs/pins/${commitId}`],
    { gitDir: fresh.directory, config: FETCH_SETTINGS, protocols: ['file'], signal },
  );
}

/**
 * Whether a commit that did not arrive may still be whole in the old store: the machine stopped it, not its objects.
 */
export function mayStillBeWhole(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' && OF_THE_MACHINE.has(code);
}

const OF_THE_MACHINE = new Set([
  ...['NO_SPACE', 'READ_ONLY', 'NO_MEMORY', 'TOO_MANY_FILES', 'TOO_MANY_PROCESSES', 'PERMISSION'],
  ...['IO_ERROR', 'GIT_TIMEOUT', 'GIT_KILLED', 'NO_GIT'],
]);

/**
 * The commits that a store keeps, read without git: its pins, and the HEADs of the work trees, including the spare's.
 */
export async function keptIn(
  repository: Pick<Repository, 'directory'>,
): Promise<{ readonly pins: CommitId[]; readonly heads: CommitId[] }> {
  const all = join(repository.directory, 'worktrees');
  const names = await readdir(all).catch(() => []);
  const heads = await Promise.all(names.map((name) => readFile(join(all, name, 'HEAD'), 'utf8').catch(() => '')));
  const ids = (found: readonly string[]) => [...new Set(found.map((each) => each.trim()))].filter(isCommitId);
  return { pins: ids(await pinNames(repository)), heads: ids(heads) };
}
