import { stat } from 'node:fs/promises';
import { FleetError } from '../../runtime/errors.ts';

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

/** The agent's directories are its own to make, with its user: without them a command on a server has nothing to say. */
export const noAgent = (appState: string): FleetError =>
  FleetError.of('NO_AGENT', `no agent of this app keeps its state here: there is no ${appState}`);
