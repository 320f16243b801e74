import { cp, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CommitId } from '../../schemas/values.ts';
import { isCommitId } from '../run/commit-id.ts';
import { noteOf } from './commit-origin.ts';
import { FETCH_SETTINGS } from './fetch-command.ts';
import { pinNames, type Repository } from './repository.ts';

/**
 * Takes commits from one store of this machine into another, by a fetch from its path: every object is hashed on the
 * way, so a commit that arrives is proved, and one that is damaged does not arrive. The url that it came from stays
 * noted.
 * @returns why each of the others did not arrive.
 */
export async function carryOver(
  old: Repository,
  fresh: Repository,
  commits: readonly CommitId[],
  signal: AbortSignal,
): Promise<Map<CommitId, unknown>> {
  const lost = new Map<CommitId, unknown>();
  for (const commitId of commits) {
    try {
      await carry(old, fresh, commitId, signal);
    } catch (error) {
      signal.throwIfAborted();
      lost.set(commitId, error);
    }
  }
  return lost;
}

async function carry(old: Repository, fresh: Repository, commitId: CommitId, signal: AbortSignal): Promise<void> {
  const options = ['--no-tags', '--no-write-fetch-head', '--no-recurse-submodules', '--no-auto-maintenance'];
  await fresh.git.output(
    ['fetch', '--quiet', ...options, '--depth=1', '--', old.directory, `+${commitId}:refs/pins/${commitId}`],
    { gitDir: fresh.directory, config: FETCH_SETTINGS, protocols: ['file'], signal },
  );
  await cp(noteOf(old.directory, commitId), noteOf(fresh.directory, commitId)).catch(() => {}); // Asked again then.
}

/**
 * Whether a commit that did not arrive may still be whole where it is: what stopped it was this machine, not its
 * objects.
 */
export function mayStillBeWhole(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' && OF_THE_MACHINE.has(code);
}

const OF_THE_MACHINE = new Set([
  ...['NO_SPACE', 'READ_ONLY', 'NO_MEMORY', 'TOO_MANY_FILES', 'TOO_MANY_PROCESSES', 'PERMISSION'],
  ...['IO_ERROR', 'GIT_TIMEOUT', 'GIT_KILLED', 'NO_GIT'],
]);

/** What a store holds by its own files, without git: its pins, and the commits of the work trees, the spare's included. */
export async function keptIn(
  repository: Repository,
): Promise<{ readonly pins: CommitId[]; readonly heads: CommitId[] }> {
  const all = join(repository.directory, 'worktrees');
  const names = await readdir(all).catch(() => []);
  const heads = await Promise.all(names.map((name) => readFile(join(all, name, 'HEAD'), 'utf8').catch(() => '')));
  const ids = (found: readonly string[]) => [...new Set(found.map((each) => each.trim()))].filter(isCommitId);
  return { pins: ids(await pinNames(repository)), heads: ids(heads) };
}
