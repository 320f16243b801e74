import type { Clock } from './clock.ts';
import { howItEnded, run } from './process.ts';
import { clean } from './safe-text.ts';

/** `taken`: another process holds it. `missing`: there is no flock on this server. */
export type Flocked =
  | { readonly kind: 'locked' | 'taken' | 'missing' }
  | { readonly kind: 'failed'; readonly reason: string };

interface FlockOptions {
  readonly mode: 'exclusive' | 'shared';
  /** How long to wait for the current holder, ms. */
  readonly waitMs: number;
  readonly clock: Clock;
}

/**
 * Locks an open file, like flock(2), for which Node has no call. util-linux's flock(1) locks the open file description
 * that it shares with us, and the lock stays with us. It ends with the descriptor, even after kill -9.
 */
export async function flock(fd: number, { mode, waitMs, clock }: FlockOptions): Promise<Flocked> {
  const timeoutMs = waitMs + 10_000;
  const result = await run(['flock', '--timeout', String(waitMs / 1_000), `--${mode}`, '3'], {
    env: { PATH: '/usr/bin:/bin' },
    clock,
    timeoutMs,
    maxBytes: 4_096,
    keep: 'tail',
    inherit: [fd],
  });
  if (result.exitCode === 0) return { kind: 'locked' };
  if (result.ended === 'not-started') return { kind: 'missing' };
  const words = clean(result.stderr.toString('utf8').trim(), 500);
  // Only exit code 1 without output means that the lock is held: errors have other codes, and BusyBox's flock prints a
  // message with its 1.
  if (result.exitCode === 1 && words === '') return { kind: 'taken' };
  return { kind: 'failed', reason: `flock ${howItEnded(result, timeoutMs)}${words && `: ${words}`}` };
}
