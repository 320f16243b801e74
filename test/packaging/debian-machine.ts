import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Ran } from '../support/commands.ts';
import { until } from '../support/until.ts';

const exec = promisify(execFile);

/**
 * A Debian 12 of its own with systemd as its init, in a container that shares this machine's network and nothing else.
 * What is written there is gone with it.
 */
export interface DebianMachine {
  /** Runs a program as root; never rejects for an exit code. */
  run(...argv: string[]): Promise<Ran>;
  /** The output of a shell command that has to succeed. */
  sh(script: string): Promise<string>;
  stop(): Promise<void>;
}

/** @param share a directory that is seen there under the same path, read-only. */
export async function bootDebian(share: string): Promise<DebianMachine> {
  const root = await debianRoot();
  const options = ['--volatile=overlay', '--register=no', '--keep-unit', '--console=pipe', `--bind-ro=${share}`];
  const container = spawn('systemd-nspawn', ['--quiet', '-D', root, ...options, '--boot'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [container.stdout, container.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said = `${said}${text}`.slice(-4_000);
    });
  }
  const ended = new Promise((resolve) => container.once('close', resolve));
  const init = await until('the container has an init', () => initOf(container, () => said), 60_000);
  const stop = async () => {
    // With its init everything in it ends; were only systemd-nspawn killed, it would live on.
    if (container.exitCode === null) process.kill(init, 'SIGKILL');
    await ended;
  };
  const enter = ['-t', String(init), '-m', '-u', '-i', '-n', '-p', '-r', '-w', '--'];
  const run = (...argv: string[]) => ran('nsenter', [...enter, ...argv]);
  const booted = async () => /^(running|degraded)/.test((await run('systemctl', 'is-system-running')).stdout);
  await until('systemd has booted', booted, 120_000).catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  return {
    run,
    async sh(script) {
      const { exitCode, stdout, stderr } = await run('/bin/sh', '-ec', script);
      if (exitCode !== 0) throw new Error(`${script}\nexited with ${exitCode}: ${stdout}${stderr}`);
      return stdout;
    },
    stop,
  };
}

async function initOf(container: ChildProcess, said: () => string): Promise<number | null> {
  if (container.exitCode !== null) throw new Error(`systemd-nspawn ended with ${container.exitCode}: ${said()}`);
  const { pid } = container;
  const children = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim().split(' ');
  for (const child of children.filter(Boolean)) {
    const status = await readFile(`/proc/${child}/status`, 'utf8').catch(() => '');
    // The first process of a namespace of its own: what makes the container first is none.
    if (/^NSpid:(?:\t\d+)+\t1$/m.test(status)) return Number(child);
  }
  return null;
}

/** Made once by debootstrap, and kept in the machine's temporary directory. */
async function debianRoot(): Promise<string> {
  const root = join(tmpdir(), 'gitfleet-debian-root');
  if (existsSync(root)) return root;
  const aside = `${root}.new-${process.pid}`;
  const packages = ['adduser', 'ca-certificates', 'dbus', 'git', 'libpam-systemd', 'openssh-client', 'polkitd'];
  const include = [...packages, 'systemd', 'systemd-sysv'].join(',');
  await mkdir(aside, { recursive: true });
  try {
    const made = await ran('debootstrap', ['--variant=minbase', `--include=${include}`, 'bookworm', aside]);
    if (made.exitCode !== 0) throw new Error(`debootstrap: ${made.stdout.slice(-2_000)}${made.stderr}`);
    await rename(aside, root);
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
  return root;
}

async function ran(program: string, argv: readonly string[]): Promise<Ran> {
  const env = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8' };
  return await exec(program, argv, { env: { ...env, DEBIAN_FRONTEND: 'noninteractive' }, maxBuffer: 64e6 }).then(
    ({ stdout, stderr }) => ({ exitCode: 0, stdout, stderr }),
    (error: { code?: unknown; stdout?: string; stderr?: string; message: string }) => ({
      exitCode: typeof error.code === 'number' ? error.code : -1,
      stdout: error.stdout ?? '',
      stderr: error.stderr || error.message,
    }),
  );
}
