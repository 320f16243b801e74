import { execFile, spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cleanEnvironment, git } from '../commands.ts';
import { until } from '../until.ts';
import { makeKey, type Sshd, startSshd } from './sshd.ts';

/** A running push: what the pusher's terminal shows, and a way to disconnect the pusher. */
interface Push {
  readonly said: string;
  /** The exit code of git push, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
  prints(words: RegExp): Promise<void>;
  /** Kills git and ssh, all of them at once; the other side gets no message. */
  kill(signal: NodeJS.Signals): Promise<void>;
}

/** A machine that people push to over ssh: a separate sshd, and one key that may log in. */
export interface GitHost {
  readonly sshd: Sshd;
  url(repository: string): string;
  push(clone: string, url: string, ...words: string[]): Push;
  stop(): Promise<void>;
}

export async function startGitHost(directory: string): Promise<GitHost> {
  const sshd = await startSshd({ directory });
  const key = makeKey(join(directory, 'id'));
  sshd.authorize(key.publicKey);
  const known = join(directory, 'known_hosts');
  await writeFile(known, sshd.hostLine);
  const ssh = `ssh -F /dev/null -i ${key.file} -o IdentitiesOnly=yes -o UserKnownHostsFile=${known} -o BatchMode=yes`;
  return {
    sshd,
    url: (repository) => sshd.url(repository),
    push: (clone, url, ...words) => startPush(clone, [url, ...words], { GIT_SSH_COMMAND: ssh }),
    stop: () => sshd.stop(),
  };
}

/** In its own process group, as a terminal starts it. Words before the repository are options. */
export function startPush(clone: string, words: readonly string[], environment: Record<string, string> = {}): Push {
  const env = cleanEnvironment({ GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1', ...environment });
  const child = spawn('git', ['push', ...words], {
    cwd: clone,
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
  }
  const ended = new Promise<number | NodeJS.Signals>((resolve, reject) => {
    child.on('error', reject).on('exit', (code, signal) => resolve(code ?? signal ?? 'SIGKILL'));
  });
  return {
    get said() {
      return said;
    },
    ended,
    prints: async (words) => void (await until(`the push prints ${words}`, async () => words.test(said))),
    async kill(signal) {
      if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, signal);
      await ended;
    },
  };
}

/** Commits without pushing. @param at the committer's date, if it matters. */
export async function commitOnly(
  clone: string,
  message: string,
  files: Record<string, string> = {},
  at?: string,
): Promise<string> {
  for (const [name, content] of Object.entries({ f: message, ...files })) await writeFile(join(clone, name), content);
  await git(clone, 'add', '--all');
  const commit = ['-c', 'user.name=Ann', '-c', 'user.email=ann@example.com', 'commit', '--quiet', '--allow-empty'];
  const env = cleanEnvironment(at === undefined ? {} : { GIT_COMMITTER_DATE: at });
  await promisify(execFile)('git', [...commit, '-m', message], { cwd: clone, env });
  return await git(clone, 'rev-parse', 'HEAD');
}
