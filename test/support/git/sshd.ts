import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Makes sure that a Debian package is installed, and says what it does for that. A service in the package is not
 * started. If it cannot be installed it fails and names the package: tests are never skipped because a tool is missing.
 */
export function ensureDebianPackage(name: string, proof: string): void {
  if (existsSync(proof)) return;
  if (!existsSync('/usr/bin/apt-get') || process.getuid?.() !== 0) {
    throw new Error(`the tests need ${name} (${proof}): install it, or run them as root on Debian`);
  }
  console.log(`tests: apt-get install ${name} (its service is not started)`);
  const policy = '/usr/sbin/policy-rc.d';
  const ours = !existsSync(policy);
  if (ours) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    const install = () =>
      spawnSync('apt-get', ['install', '-y', '-q', '--no-install-recommends', name], { env, encoding: 'utf8' });
    if (install().status === 0) return;
    console.log('tests: apt-get update');
    execFileSync('apt-get', ['update', '-q'], { env, stdio: 'pipe' });
    const said = install();
    if (said.status !== 0) throw new Error(`apt-get install ${name} failed:\n${said.stderr}`);
  } finally {
    if (ours) rmSync(policy, { force: true });
  }
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** Waits until a port accepts connections, or fails with the server's output. */
export async function untilListening(port: number, said: () => string): Promise<void> {
  const { connect } = await import('node:net');
  for (let round = 0; round < 200; round++) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false));
      socket.on('connect', () => socket.destroy());
    });
    if (open) return;
    await sleep(25);
  }
  throw new Error(`nothing listens on port ${port}: ${said()}`);
}

export interface Sshd {
  readonly port: number;
  /** For known_hosts. */
  readonly hostLine: string;
  url(path: string): string;
  /** Only these public keys may log in from now on. */
  authorize(...publicKeys: string[]): void;
  stop(): Promise<void>;
}

interface SshdOptions {
  /** The directory for its keys and config. */
  readonly directory: string;
  /** False: the server is never told about protocol v2, as with a default configuration. */
  readonly protocolV2?: boolean;
  readonly port?: number;
  readonly maxStartups?: string;
  /** The only key exchange that it offers. */
  readonly keyExchange?: string;
}

/** A separate sshd on loopback, only for this user. */
export async function startSshd(options: SshdOptions): Promise<Sshd> {
  ensureDebianPackage('openssh-server', '/usr/sbin/sshd');
  const { directory } = options;
  mkdirSync(directory, { recursive: true });
  if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  const hostKey = makeKey(join(directory, `host-${Math.random().toString(36).slice(2)}`));
  const authorized = join(directory, 'authorized_keys');
  writeFileSync(authorized, '', { mode: 0o600 });
  const port = options.port ?? (await freePort());
  const lines = [
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    `HostKey ${hostKey.file}`,
    `AuthorizedKeysFile ${authorized}`,
    'PidFile none',
    'UsePAM no',
    'StrictModes no',
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
    'PermitRootLogin prohibit-password',
    'PrintMotd no',
    ...(options.protocolV2 === false ? [] : ['AcceptEnv GIT_PROTOCOL']),
    ...(options.keyExchange ? [`KexAlgorithms ${options.keyExchange}`] : []),
    ...(options.maxStartups ? [`MaxStartups ${options.maxStartups}`] : []),
  ];
  const config = join(directory, 'sshd_config');
  writeFileSync(config, `${lines.join('\n')}\n`);
  const child = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', config], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk) => {
    said += chunk;
  });
  await untilListening(port, () => said);
  return {
    port,
    hostLine: `[127.0.0.1]:${port} ${hostKey.publicKey}\n`,
    url: (path) => `ssh://${userInfo().username}@127.0.0.1:${port}${path}`,
    authorize: (...publicKeys) => writeFileSync(authorized, `${publicKeys.join('\n')}\n`),
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await ended;
    },
  };
}

/** A new key pair, which replaces an older one at the same path. */
export function makeKey(file: string): { file: string; publicKey: string } {
  rmSync(file, { force: true });
  rmSync(`${file}.pub`, { force: true });
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'test', '-f', file], { stdio: 'pipe' });
  chmodSync(file, 0o600);
  return { file, publicKey: readFileSync(`${file}.pub`, 'utf8').trim() };
}
