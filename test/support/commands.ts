import { execFile, spawn } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** The built command line, as users have it. */
export const MAIN = join(import.meta.dirname, '..', '..', 'dist', 'cli', 'main.cjs');

export interface Ran {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Only what programs need from this machine's environment: no GIT_ or GITFLEET_ settings are used. */
export function cleanEnvironment(extra: Record<string, string> = {}): Record<string, string> {
  return { PATH: process.env['PATH'] ?? '', HOME: '/nonexistent', LANG: 'C.UTF-8', ...extra };
}

/** Runs `gitfleet ...` to its end; never rejects for an exit code. */
export function gitfleet(
  args: readonly string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [MAIN, ...args], {
      cwd: options.cwd ?? '/',
      env: cleanEnvironment(options.env),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const out = { stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text) => {
      out.stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      out.stderr += text;
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ exitCode: code ?? -1, ...out }));
  });
}

const exec = promisify(execFile);
const PERSON = {
  GIT_AUTHOR_NAME: 'Ann',
  GIT_AUTHOR_EMAIL: 'ann@example.com',
  GIT_COMMITTER_NAME: 'Ann',
  GIT_COMMITTER_EMAIL: 'ann@example.com',
};

/** Runs real git as a person with a name. Rejects with git's message if it fails. Resolves to the trimmed output. */
export async function git(cwd: string, ...args: string[]): Promise<string> {
  return (await gitSaying(cwd, ...args)).stdout.trim();
}

/** With its standard error: the `remote:` lines of a push. */
export async function gitSaying(cwd: string, ...args: string[]): Promise<{ stdout: string; stderr: string }> {
  const env = cleanEnvironment({ ...PERSON, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' });
  return await exec('git', ['-c', 'init.defaultBranch=main', '-c', 'gc.auto=0', ...args], {
    cwd,
    env,
    maxBuffer: 64e6,
  });
}
