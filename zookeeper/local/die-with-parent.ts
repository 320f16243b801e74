import { type ChildProcess, spawn } from 'node:child_process';

/**
 * Makes a child process die with us, also when we are killed by SIGKILL and can do nothing any more: a small shell
 * waits on the other end of a pipe, and when the kernel closes our end it kills the child. Not proven: a shell that
 * is killed first. End the guard before the child's pid can belong to another process.
 */
export function dieWithParent(pid: number): ChildProcess {
  const guard = spawn('/bin/sh', ['-c', 'read _; kill -9 "$0" 2>/dev/null', String(pid)], {
    env: {},
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  guard.on('error', () => {}); // No shell: the server is then ended by stop() alone.
  guard.stdin?.on('error', () => {});
  guard.unref();
  (guard.stdin as unknown as { unref?: () => void } | null)?.unref?.();
  return guard;
}
