import { userInfo } from 'node:os';

/**
 * The author of a deployment, for history: the person behind sudo or a git host's account, rather than the user that
 * runs the process. It is what the environment says, not a proof.
 */
export function author(env: Readonly<Record<string, string | undefined>>): string {
  const named = env['GITFLEET_AUTHOR'] ?? env['GL_USERNAME'] ?? env['REMOTE_USER'] ?? env['SUDO_USER'];
  if (named) return named;
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
