import { stat } from 'node:fs/promises';
import { systemClock as clock } from '../../runtime/clock.ts';
import { FleetError } from '../../runtime/errors.ts';
import { run } from '../../runtime/process.ts';

interface UserIds {
  readonly uid: number;
  readonly gid: number;
}

/**
 * If root works in an agent's directories, this process becomes the agent's user until its end: the agent could not
 * read files that root leaves there. Nothing changes if the state directory belongs to root or does not exist.
 */
export async function becomeAgentUser(state: string): Promise<void> {
  const owner = await ownerOf(state);
  if (owner !== null) becomeUser(owner);
}

/** Null: the directory does not exist. */
export async function ownerOf(directory: string): Promise<UserIds | null> {
  return await stat(directory).catch(() => null);
}

/** Only root can become another user; there is no way back in this process. */
export function becomeUser({ uid, gid }: UserIds): void {
  if (process.getuid?.() !== 0 || uid === 0) return;
  try {
    // With the groups that a unit of this user has.
    (process as { initgroups?: (user: number, group: number) => void }).initgroups?.(uid, gid);
  } catch {
    process.setgroups?.([gid]); // The uid has no user name.
  }
  process.setgid?.(gid);
  process.setuid?.(uid);
}

/** The ids of a user by name; null if there is no such user. */
export async function idsOfUser(name: string): Promise<UserIds | null> {
  const env = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8' };
  const options = { env, clock, timeoutMs: 10_000, maxBytes: 64 * 1024, keep: 'tail' } as const;
  const found = await run(['getent', 'passwd', name], options);
  const [, , uid, gid] = (found.exitCode === 0 ? found.stdout.toString('utf8') : '').split(':').map(Number);
  return uid === undefined || gid === undefined ? null : { uid, gid };
}

/** Only the agent creates its directories, as its user: without them, a command on a server has nothing to show. */
export const noAgent = (appState: string): FleetError =>
  FleetError.of('NO_AGENT', `no agent of this app keeps its state here: there is no ${appState}`);
