import { type SimpleGit, simpleGit } from 'simple-git';
import { environment, type GitSandbox, HARDENING } from './process.ts';

/**
 * simple-git on the leash of process.ts: same settings, same environment, no protocol. It serves the commands that
 * read a local repository and always print something (rev-parse, log, status, worktree list). Fetches, silent
 * commands and anything long go through process.ts: simple-git cannot kill a process group, and waits 50 ms after
 * each command that prints nothing.
 *
 * The repository is the one that `directory` is or lies in, unless `env` names another with GIT_DIR.
 *
 * Its own guard is told to let our hardening through; those are literals of ours, and the guard is no boundary anyway:
 * a value from outside must stand after `--end-of-options` here too.
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
