import { type ChildProcess, spawn } from 'node:child_process';

/**
 * Makes a child process die with us, even if SIGKILL ends us: a small shell waits at the other end of a pipe, and kills
 * the child when the kernel closes our end. Not covered: a shell that is killed first. End the guard before the child's
 * pid can belong to another process.
 */
export function dieWithParent(pid: number): ChildProcess {
  const guard = spawn('/bin/sh', ['-c', 'read _; kill -9 "$0" 2>/dev/null', String(pid)], {
    env: {},
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  guard.on('error', () => {}); // Without a shell, only stop() ends the server.
  guard.stdin?.on('error', () => {});
  guard.unref();
  (guard.stdin as unknown as { unref?: () => void } | null)?.unref?.();
  return guard;
}
