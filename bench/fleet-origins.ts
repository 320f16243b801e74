import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { startGitDaemon } from '../test/support/git/daemon.ts';
import { startHttpsOrigin } from '../test/support/git/https-origin.ts';
import type { GitOrigin } from '../test/support/git/origin.ts';
import { makeKey, startSshd } from '../test/support/git/sshd.ts';

/** How the fleets of `bench:fleet` reach the one repository, all by the same way. */
export interface ServedOrigin {
  readonly url: string;
  /** For the git of the naive and the bare agents, and of publishers. */
  readonly env: Readonly<Record<string, string>>;
  /** For our agents: an entry of `agent.credentials` as JSON, or null. */
  readonly credential: Readonly<Record<string, string>> | null;
  stop(): Promise<void>;
}

export const ORIGINS = ['file', 'git', 'http', 'ssh'] as const;
export type OriginKind = (typeof ORIGINS)[number];

/**
 * Serves the repository on this machine: `git daemon`, `git http-backend` behind a small server of this process, or an
 * sshd of its own whose one key may run git-shell and nothing else. None of them refuses a connection of 100 at once,
 * so that the naive version, which tries only once, arrives too.
 * @param kex the only key exchange of the sshd; else those of OpenSSH.
 */
export async function serveOrigin(
  kind: OriginKind,
  origin: GitOrigin,
  directory: string,
  kex?: string,
): Promise<ServedOrigin> {
  const name = basename(origin.directory);
  const root = dirname(origin.directory);
  if (kind === 'git') {
    const daemon = await startGitDaemon(root, ['--max-connections=0']);
    return { url: daemon.url(name), env: {}, credential: null, stop: daemon.stop };
  }
  if (kind === 'http') {
    const server = await startHttpsOrigin(root);
    return { url: server.url(name), env: {}, credential: null, stop: server.stop };
  }
  if (kind === 'ssh') return await overSsh(origin, join(directory, 'sshd'), kex);
  return { url: origin.url, env: {}, credential: null, stop: async () => {} };
}

async function overSsh(origin: GitOrigin, directory: string, kex?: string): Promise<ServedOrigin> {
  mkdirSync(directory, { recursive: true });
  const sshd = await startSshd({ directory, maxStartups: '200', ...(kex && { keyExchange: kex }) });
  const key = makeKey(join(directory, 'key'));
  // As for a user whose login shell is git-shell.
  sshd.authorize(`restrict,command="git-shell -c \\"$SSH_ORIGINAL_COMMAND\\"" ${key.publicKey}`);
  const knownHosts = join(directory, 'known_hosts');
  writeFileSync(knownHosts, sshd.hostLine);
  const options = ['IdentitiesOnly=yes', `IdentityFile=${key.file}`, `UserKnownHostsFile=${knownHosts}`];
  const ssh = ['ssh', '-F', '/dev/null', ...options.flatMap((option) => ['-o', option])].join(' ');
  const url = sshd.url(origin.directory);
  const credential = { prefix: url, sshKeyFile: key.file, knownHosts };
  return { url, env: { GIT_SSH_COMMAND: ssh }, credential, stop: sshd.stop };
}
