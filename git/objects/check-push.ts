import { mkdir, mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { CommitId } from '../../schemas/values.ts';
import { createGit, type Git, type GitSandbox } from '../run/process.ts';
import { type ContentRules, checkTree } from './content.ts';
import { FSCK_STRICT } from './fsck-rules.ts';
import { createObjectReader } from './object-reader.ts';

/**
 * A git that also sees the objects of a push whose pre-receive hook is still deciding. Git keeps them in a quarantine
 * directory inside the repository's own objects.
 * @param quarantine the directory as git's environment names it. One anywhere else is ignored, because a pusher may
 * have chosen it.
 */
export async function gitOfPush(sandbox: GitSandbox, gitDir: string, quarantine: string): Promise<Git> {
  const objects = await realpath(join(gitDir, 'objects'));
  const aside = quarantine === '' ? null : await realpath(quarantine).catch(() => null);
  if (aside === null || dirname(aside) !== objects) return createGit(sandbox);
  const marks = { GIT_OBJECT_DIRECTORY: aside, GIT_ALTERNATE_OBJECT_DIRECTORIES: alternate(objects) };
  return createGit({ ...sandbox, marks: { ...sandbox.marks, ...marks } });
}

/** Git splits the list at colons, but not inside a quoted path. */
const alternate = (directory: string): string => JSON.stringify(directory);

/**
 * Refuses what an agent with these rules would refuse to fetch or to write.
 * @throws FleetError UNSAFE_TREE, SUBMODULES, TOO_LARGE, LFS_POINTERS, BAD_OBJECTS
 */
export async function checkPushed(
  git: Git,
  gitDir: string,
  commitId: CommitId,
  rules: ContentRules,
  signal: AbortSignal,
): Promise<void> {
  const reader = createObjectReader(git.sandbox, gitDir);
  try {
    await checkTree({ directory: gitDir, git, reader }, rules, commitId, signal);
    await checkObjects(git, gitDir, commitId, signal);
  } finally {
    reader.close();
  }
}

/**
 * Makes the checks of `git fsck` as an agent's fetch does: the commit and its trees are piped as a pack through `git
 * index-pack`, into a directory that is removed afterwards. Blobs are left out: git has no complaints about them.
 */
async function checkObjects(git: Git, gitDir: string, commitId: CommitId, signal: AbortSignal): Promise<void> {
  const scratch = await mkdtemp(join(tmpdir(), 'gitfleet-fsck-'));
  try {
    await mkdir(join(scratch, 'pack'));
    const list = ['rev-list', '--objects', '--no-walk', '--no-object-names', '--filter=blob:none', commitId, '--'];
    const input = await git.output(list, { gitDir, signal });
    const pack = await git.run(['pack-objects', '--quiet', '--stdout'], { gitDir, signal, input });
    const aside = git.sandbox.marks?.['GIT_OBJECT_DIRECTORY'];
    const objects = [...(aside === undefined ? [] : [aside]), await realpath(join(gitDir, 'objects'))];
    const env = { GIT_OBJECT_DIRECTORY: scratch, GIT_ALTERNATE_OBJECT_DIRECTORIES: objects.map(alternate).join(':') };
    await git.output(['index-pack', FSCK_STRICT, '--stdin'], { gitDir, signal, env, input: pack.stdout });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Larger than any file that a person writes by hand. */
const MAX_TOP_FILE_BYTES = 1024 * 1024;

/** A file in the top directory of a commit; null if there is none. @throws FleetError TOO_LARGE */
export async function readTopFile(
  git: Git,
  gitDir: string,
  commitId: CommitId,
  name: string,
): Promise<{ kind: 'file'; content: Buffer } | { kind: 'other' } | null> {
  const listed = await git.output(['ls-tree', '-z', '--full-tree', '--end-of-options', commitId, name], { gitDir });
  const [, mode, id] = /^(\d+) \w+ ([0-9a-f]+)\t/.exec(listed) ?? [];
  if (id === undefined) return null;
  if (!mode?.startsWith('100')) return { kind: 'other' };
  const said = await git.run(['cat-file', 'blob', id], { gitDir, maxBytes: MAX_TOP_FILE_BYTES });
  return { kind: 'file', content: said.stdout };
}
