import { userInfo } from 'node:os';

/** What git hosts, CI jobs and sudo set, the closest to the person first. A job's own user is the same for everybody. */
const NAMING = ['GITFLEET_AUTHOR', 'GL_USERNAME', 'REMOTE_USER', 'GITHUB_ACTOR', 'GITLAB_USER_LOGIN', 'SUDO_USER'];

/**
 * The author of a deployment, for history: the person behind sudo or a git host's account, rather than the user that
 * runs the process. It is what the environment says, not a proof.
 */
export function author(env: Readonly<Record<string, string | undefined>>): string {
  for (const name of NAMING) if (env[name]) return env[name];
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? '?'}`;
  }
}

/** Who says it and why, for the audit record of an act; the reason is empty where none was given. */
export const wordOf = (options: Readonly<Record<string, unknown>>): { by: string; reason: string } => ({
  by: author(process.env),
  reason: String(options['message'] ?? ''),
});
