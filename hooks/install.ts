import { chmod, lstat, mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Git } from '../git/process.ts';
import { branchTip, gitDirOf, writeRepositoryConfig } from '../git/repository-config.ts';
import { writeDurably } from '../runtime/durable-file.ts';
import { FleetError } from '../runtime/errors.ts';
import { type HookSettings, quoted } from './hook-settings.ts';

export interface HookInstalled {
  readonly file: string;
  readonly gitDir: string;
  /** The branch's commit now, null where nothing was pushed yet. */
  readonly tip: string | null;
}

/** How we know our own hook file again. */
const MARK = '# gitfleet post-receive hook';

/**
 * Writes the post-receive hook of a bare repository, and what it needs to know into that repository's own git config.
 * Running it again updates both. A hook that somebody else wrote is left alone.
 * @param command how to start this gitfleet: program and arguments, absolute.
 * @throws FleetError HOOK_EXISTS, NOT_A_REPOSITORY.
 */
export async function installHook(
  git: Git,
  repository: string,
  settings: HookSettings,
  command: readonly string[],
): Promise<HookInstalled> {
  const gitDir = await gitDirOf(git, repository);
  const file = join(gitDir, 'hooks', 'post-receive');
  await refuseForeign(file);
  await writeRepositoryConfig(git, gitDir, { ...settings });
  // A repository made without a template has no such directory.
  await mkdir(dirname(file), { recursive: true });
  await writeDurably(file, script(command), 0o755);
  await chmod(file, 0o755);
  return { file, gitDir, tip: await branchTip(git, gitDir, settings.branch) };
}

async function refuseForeign(file: string): Promise<void> {
  const found = await lstat(file).catch(() => null);
  if (!found) return;
  if (found.isFile() && (await readFile(file, 'utf8')).includes(MARK)) return;
  throw new FleetError({
    code: 'HOOK_EXISTS',
    reason: `${file} is there already and is not ours; it was not touched`,
    hint: 'move it away first, or call gitfleet from it: see the line after "exec" that hook install would write',
    next: 'stall',
  });
}

/**
 * A shim, because git runs a file: everything else is in the command. It exits 0 whatever happens: the objects are in
 * the repository by then, and a deployment's trouble is no reason to call a push failed.
 */
function script(command: readonly string[]): string {
  const words = command.map(quoted);
  return `#!/bin/sh
${MARK}; made by "gitfleet hook install", settings: git config --get-regexp '^gitfleet\\.'
repository=$(pwd)
unset GIT_DIR GIT_QUARANTINE_PATH GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES
if [ -x ${words[0]} ]; then
  ${words.join(' ')} hook post-receive --repository "$repository"
else
  echo 'gitfleet: not deployed:' ${words[0]} 'is not there any more; run gitfleet hook install again' >&2
fi
exit 0
`;
}
