import type { Clock } from '../../runtime/clock.ts';
import { FleetError } from '../../runtime/errors.ts';
import { howItEnded, type RunResult, run } from '../../runtime/process.ts';
import { clean } from '../../runtime/safe-text.ts';
import { excerptOf } from './excerpt.ts';

export interface RestartUnits {
  /** Names of systemd services, as the settings checked them. */
  readonly units: readonly string[];
  /** How long systemd may take for all of them. */
  readonly timeoutMs: number;
}

/**
 * Has systemd restart the units, and waits until each has started as its own unit defines it. NoNewPrivileges rules out
 * sudo, so polkit permits it, for exactly these units (packaging/50-gitfleet.rules). At the deadline only the wait
 * ends; systemd still completes what it has begun.
 * @param path PATH for systemctl.
 * @throws FleetError RESTART_FAILED with the end of systemctl's output.
 */
export async function restartUnits(
  { units, timeoutMs }: RestartUnits,
  path: string,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const result = await run(['systemctl', 'restart', '--no-ask-password', '--', ...units], {
    env: { PATH: path, LANG: 'C.UTF-8' },
    clock,
    timeoutMs,
    signal,
    maxBytes: 64 * 1024,
    keep: 'tail',
  });
  if (result.ended === 'exit' && result.exitCode === 0) return;
  if (result.ended === 'abort') throw signal.reason;
  const said = clean(excerptOf(result.stderr.toString('utf8')));
  throw FleetError.of(
    'RESTART_FAILED',
    `systemctl restart ${units.join(' ')} ${howItEnded(result, timeoutMs)}${said && `: ${said}`}`,
    hintFor(result, said, units),
    result.cause,
  );
}

function hintFor(result: RunResult, said: string, units: readonly string[]): string {
  if (result.ended === 'not-started') return 'agent.restart needs a server with systemd; use agent.activate elsewhere';
  if (/access denied|authentication required|not authorized|permission denied/i.test(said)) {
    return 'the agent is not permitted to do it: run gitfleet agent install as root, which writes the polkit rule';
  }
  return `the new release is linked; see journalctl -u ${units[0]}, then publish again, or roll back with gitfleet rollback`;
}
