import { type SimpleGit, simpleGit } from 'simple-git';
import { environment, type GitSandbox, HARDENING } from './process.ts';

/**
 * simple-git under the rules of process.ts: same settings, same environment, no protocol. For commands that read a
 * local repository and always print something (rev-parse, log, status, worktree list). Fetches, silent commands and
 * anything long use process.ts: simple-git cannot kill a process group, and waits 50 ms after each command that prints
 * nothing.
 *
 * The repository is the one at or above `directory`, unless `env` names another with GIT_DIR.
 *
 * simple-git's own guard is configured to accept our hardening settings, which are literals of ours. The guard is no
 * security boundary: a value from outside must follow `--end-of-options` here too.
 */
export function simpleGitIn(
  sandbox: Pick<GitSandbox, 'path' | 'marks'>,
  directory: string,
  env: Record<string, string> = {},
): SimpleGit {
  const own = { ...environment(sandbox), ...env };
  return simpleGit({
    baseDir: directory,
    config: [...HARDENING],
    maxConcurrentProcesses: 2,
    timeout: { block: 60_000 },
    allowEnvironment: Object.keys(own),
    unsafe: {
      allowUnsafeHooksPath: true,
      allowUnsafeFsMonitor: true,
      allowUnsafeCredentialHelper: true,
      allowUnsafeConfigPaths: true,
      allowUnsafeProtocolOverride: true,
    },
  }).env(own);
}
