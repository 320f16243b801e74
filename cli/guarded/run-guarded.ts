import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { systemClock } from '../../runtime/clock.ts';
import { killGroup } from '../../runtime/process.ts';
import type { Doubt } from '../../zookeeper/recipes/in-doubt.ts';
import { EXIT } from '../shell/exit-codes.ts';

/**
 * Runs a command while something is held, and ends it in time. Guarantee: when this resolves, nothing of the command's
 * process group is left. In doubt, the group gets SIGTERM, and SIGKILL before another holder can begin. If we are
 * killed, a small shell in the group sees our end of its pipe close, and kills the group. Signals that we get are
 * passed on. Not covered: a process that left the group, and a machine that was paused.
 */
export async function runGuarded(argv: readonly string[], { fence, doubt, signals }: GuardedOptions): Promise<number> {
  const child = spawn('/bin/sh', ['-c', WITH_GUARD, 'sh', ...argv], {
    detached: true,
    env: { ...process.env, GITFLEET_FENCE: fence.toString() },
    stdio: ['inherit', 'inherit', 'inherit', 'pipe'],
  });
  let inDoubt = false;
  let cancelKill = () => {};
  const end = () => {
    inDoubt = true;
    killGroup(child.pid, 'SIGTERM');
    cancelKill = systemClock.after(doubt.spareMs, () => killGroup(child.pid));
  };
  signals((signal) => killGroup(child.pid, signal));
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)));
  });
  if (doubt.signal.aborted) end();
  else doubt.signal.addEventListener('abort', end, { once: true });
  try {
    const exitCode = await ended;
    return inDoubt ? EXIT.inDoubt : exitCode;
  } finally {
    doubt.signal.removeEventListener('abort', end);
    cancelKill();
    killGroup(child.pid);
  }
}

interface GuardedOptions {
  readonly fence: bigint;
  readonly doubt: Doubt;
  /** Passes on the signals that this process gets, until the end of the command. */
  readonly signals: (take: (signal: NodeJS.Signals) => void) => void;
}

/** The guard reads from our pipe, which nothing writes to: the read returns when the pipe closes. */
const WITH_GUARD = `(trap '' TERM INT HUP; read -r _; kill -s KILL 0) <&3 >/dev/null 2>&1 & exec 3<&-; exec "$@"`;
