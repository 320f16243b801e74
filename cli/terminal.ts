import { classify, FleetError } from '../runtime/errors.ts';
import { clean } from '../runtime/log.ts';
import { EXIT, exitCodeOf } from './exit-codes.ts';

export const say = (...lines: string[]): void => {
  for (const line of lines) process.stdout.write(`${line}\n`);
};

export const warn = (...lines: string[]): void => {
  for (const line of lines) process.stderr.write(`${line}\n`);
};

let unheard = false;

/** From here on the program goes on to its end also when nobody reads what it says. */
export const goOnUnheard = (): void => {
  unheard = true;
};

/** A reader that went away (`gitfleet history | head -1`) is no failure of ours: it ends quietly. */
export function stdoutFailed(error: NodeJS.ErrnoException): void {
  if (unheard) return;
  if (error.code !== 'EPIPE') process.exitCode = EXIT.failed;
  process.exit();
}

/** Says a failure the same way everywhere: code, reason, what to do next. Returns the exit code. */
export function fail(error: unknown, json: boolean): number {
  const failure = classify(error);
  const exitCode = exitCodeOf(failure);
  if (json) {
    say(JSON.stringify({ error: { ...failure.toFailure(), reason: clean(failure.message) }, exitCode }));
    return exitCode;
  }
  warn(`gitfleet: ${failure.code}: ${clean(failure.message).trim()}`);
  if (failure.hint) warn(`  ${failure.hint}`);
  if (failure.next === 'bug' && failure.cause instanceof Error) warn(clean(failure.cause.stack ?? '', 4_000));
  return exitCode;
}

export const usage = (reason: string, hint: string): FleetError =>
  new FleetError({ code: 'USAGE', reason, hint, next: 'stall' });
