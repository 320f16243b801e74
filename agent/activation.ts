import type { Clock } from '../runtime/clock.ts';
import { FleetError } from '../runtime/errors.ts';
import { clean } from '../runtime/log.ts';
import { type RunResult, run } from '../runtime/process.ts';
import { type RestartUnits, restartUnits } from './restart.ts';

/** What follows a swap, in this order; at least one of the two. */
export interface Activation {
  readonly command: ActivateCommand | null;
  readonly restart: RestartUnits | null;
}

export interface ActivateCommand {
  /** Program and arguments; no shell takes part. */
  readonly command: readonly string[];
  readonly timeoutMs: number;
}

/** What the command is told, as GITFLEET_* variables. */
export interface ActivationFacts {
  readonly app: string;
  readonly commitId: string;
  readonly previousCommitId: string | null;
  readonly release: string;
  readonly link: string;
  readonly deployment: number | null;
  readonly path: string;
}

/** Half of what a stop of the agent may take. */
const GENTLE_MS = 5_000;

/**
 * What the operator wants after the swap: first the command, then the restart of units. At-least-once: a crash between
 * the swap and the end of both runs both again, and a failure of the first keeps the second from beginning.
 * @throws FleetError ACTIVATE_FAILED, RESTART_FAILED with the last output.
 */
export async function activate(
  activation: Activation,
  facts: ActivationFacts,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  if (activation.command) await runCommand(activation.command, facts, clock, signal);
  if (activation.restart) await restartUnits(activation.restart, facts.path, clock, signal);
}

/**
 * Runs the operator's command in the new release. It sees an environment made from nothing, and its whole process group
 * dies at the deadline; what it leaves running as a daemon is its own matter.
 */
async function runCommand(
  settings: ActivateCommand,
  facts: ActivationFacts,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const result = await run(settings.command, {
    cwd: facts.release,
    env: {
      PATH: facts.path,
      LANG: 'C.UTF-8',
      GITFLEET_APP: facts.app,
      GITFLEET_COMMIT: facts.commitId,
      GITFLEET_PREVIOUS_COMMIT: facts.previousCommitId ?? '',
      GITFLEET_RELEASE: facts.release,
      GITFLEET_LINK: facts.link,
      GITFLEET_DEPLOYMENT: facts.deployment === null ? '' : `d-${facts.deployment}`,
    },
    clock,
    timeoutMs: settings.timeoutMs,
    gentleMs: GENTLE_MS,
    signal,
    mostBytes: 64 * 1024,
    keep: 'tail',
  });
  if (result.ended === 'exit' && result.exitCode === 0) return;
  if (result.ended === 'abort') throw signal.reason;
  throw new FleetError(
    {
      code: 'ACTIVATE_FAILED',
      reason: `${settings.command[0]} ${howItEnded(result, settings.timeoutMs)}${lastWords(result)}`,
      hint: 'the new release is linked; mend the command and publish again, or roll back with gitfleet rollback',
      next: 'stall',
    },
    { cause: result.cause },
  );
}

function howItEnded(result: RunResult, timeoutMs: number): string {
  if (result.ended === 'not-started') return `could not be started (${result.cause?.code ?? 'unknown reason'})`;
  if (result.ended === 'timeout') return `did not end within ${timeoutMs} ms and was killed`;
  return result.signal ? `was ended by ${result.signal}` : `exited with ${result.exitCode}`;
}

function lastWords(result: RunResult): string {
  const text = `${result.stdout.toString('utf8')}\n${result.stderr.toString('utf8')}`.trim();
  return text === '' ? '' : `: ${clean(text.slice(-600))}`;
}
