import { stat } from 'node:fs/promises';
import { FleetError } from '../../runtime/errors.ts';

/**
 * If root works with an agent's directories, this process becomes the agent's user until its end: the agent could not
 * read files that root leaves there. Nothing changes if the state directory belongs to root or does not exist.
 */
export async function becomeAgentUser(state: string): Promise<void> {
  if (process.getuid?.() !== 0) return;
  const found = await stat(state).catch(() => null);
  if (!found || found.uid === 0) return;
  process.setgroups?.([found.gid]);
  process.setgid?.(found.gid);
  process.setuid?.(found.uid);
}

/** Only the agent creates its directories, as its user: without them a command on a server has nothing to show. */
export const noAgent = (appState: string): FleetError =>
  FleetError.of('NO_AGENT', `no agent of this app keeps its state here: there is no ${appState}`);
