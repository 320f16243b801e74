import { spawn } from 'node:child_process';
import { freePort, untilListening } from './sshd.ts';

export interface GitDaemon {
  readonly port: number;
  url(repository: string): string;
  stop(): Promise<void>;
}

/**
 * A plain git daemon on loopback, with its own short listen queue, as many agents at once would meet it.
 * @param more further arguments.
 */
export async function startGitDaemon(root: string, more: readonly string[] = []): Promise<GitDaemon> {
  const port = await freePort();
  const flags = ['--reuseaddr', '--listen=127.0.0.1', `--port=${port}`, `--base-path=${root}`, '--export-all'];
  flags.push('--enable=upload-archive', ...more);
  const child = spawn('git', ['daemon', ...flags], { stdio: ['ignore', 'ignore', 'pipe'], detached: true });
  let said = '';
  child.stderr.on('data', (chunk) => {
    said = `${said}${chunk}`.slice(-2_000);
  });
  await untilListening(port, () => said);
  return {
    port,
    url: (repository) => `git://127.0.0.1:${port}/${repository}`,
    async stop() {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      // `git daemon` is a child of `git`: end the whole process group.
      if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
      await ended;
    },
  };
}
