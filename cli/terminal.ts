import { classify, FleetError } from '../runtime/errors.ts';
import { clean } from '../runtime/log.ts';
import { exitCodeOf } from './exit-codes.ts';

export const say = (...lines: string[]): void => {
  for (const line of lines) process.stdout.write(`${line}\n`);
};

export const warn = (...lines: string[]): void => {
  for (const line of lines) process.stderr.write(`${line}\n`);
};

/** Says a failure the same way everywhere: code, reason, what to do next. Returns the exit code. */
export function fail(error: unknown, json: boolean): number {
  const failure = classify(error);
  const exitCode = exitCodeOf(failure);
  if (json) {
    say(JSON.stringify({ error: { ...failure.toFailure(), reason: clean(failure.message) }, exitCode }));
    return exitCode;
  }
  warn(`gitfleet: ${failure.code}: ${clean(failure.message)}`);
  if (failure.hint) warn(`  ${failure.hint}`);
  if (failure.next === 'bug' && failure.cause instanceof Error) warn(clean(failure.cause.stack ?? '', 4_000));
  return exitCode;
}

export const usage = (reason: string, hint: string): FleetError =>
  new FleetError({ code: 'USAGE', reason, hint, next: 'stall' });
