import { userInfo } from 'node:os';

/**
 * Variables set by git hosts, CI jobs and sudo, closest to the person first. The user of a CI job is the same for
 * everyone.
 */
const NAMING = ['GITFLEET_AUTHOR', 'GL_USERNAME', 'REMOTE_USER', 'GITHUB_ACTOR', 'GITLAB_USER_LOGIN', 'SUDO_USER'];

/**
 * The author of a deployment, for history: the person behind sudo or a git host's account, rather than the user that
 * runs the process. It comes from the environment and proves nothing.
 */
export function author(env: Readonly<Record<string, string | undefined>>): string {
  for (const name of NAMING) if (env[name]) return env[name];
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? '?'}`;
  }
}

/** Who acts and why, for the audit record of an act. The reason is empty if none was given. */
export const wordOf = (options: Readonly<Record<string, unknown>>): { by: string; reason: string } => ({
  by: author(process.env),
  reason: String(options['message'] ?? ''),
});
