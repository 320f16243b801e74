import { stat } from 'node:fs/promises';

/**
 * Root who works with an agent's directories becomes the agent's user for the rest of this process: what root leaves
 * there nobody else could read, the agent neither. Nothing changes where the state is root's own or not there yet.
 */
export async function becomeAgentUser(state: string): Promise<void> {
  if (process.getuid?.() !== 0) return;
  const found = await stat(state).catch(() => null);
  if (!found || found.uid === 0) return;
  process.setgroups?.([found.gid]);
  process.setgid?.(found.gid);
  process.setuid?.(found.uid);
}
