import type { Screen } from '../../publisher/screens/columns.ts';
import { classify, FleetError } from '../../runtime/errors.ts';

import { once } from '../../runtime/once.ts';
import { clean, jsonLine, visible } from '../../runtime/safe-text.ts';
import type { ErrorOutput } from '../../schemas/json-output.ts';
import { coloursWanted, painter, redraws } from './colours.ts';
import { exitCodeOf } from './exit-codes.ts';

/** Created at first use: each takes Node a millisecond. */
export const stdout = once(() => process.stdout.on('error', stdoutFailed));
export const stderr = once(() => process.stderr.on('error', () => {}));

export const say = (...lines: string[]): void => {
  for (const line of lines) stdout().write(`${line}\n`);
};

/**
 * The only output for JSON: invisible characters and those that change the text direction are escaped, and a reader
 * gets the exact value.
 */
export const sayJson = (value: unknown): void => say(jsonLine(value));

/** In one write, so that no log line comes between lines that belong together. */
export const warn = (...lines: string[]): void => {
  stderr().write(lines.map((line) => `${line}\n`).join(''));
};

/** Whether the screen may be redrawn in place. */
export const isLive = (): boolean => redraws(process.env, process.stdout.isTTY);

/** For lines that stay; with `window`, for lines that are redrawn in place. */
export const screenNow = (now: number, window?: { readonly columns: number }): Screen => ({
  columns: window?.columns ?? (process.stdout.isTTY ? process.stdout.columns || 80 : Number.POSITIVE_INFINITY),
  wraps: window === undefined,
  now,
  paint: painter(coloursWanted(process.env, process.stdout.isTTY)),
});

let unheard = false;

/** From here on the program continues to its end even if its output is no longer read. */
export const ignoreClosedOutput = (): void => {
  unheard = true;
};

/** A reader that goes away (`gitfleet history | head -1`) is not a failure: the program ends silently. */
function stdoutFailed(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') process.exitCode = sayFailure(notSaid(error), false);
  if (!unheard) process.exit();
}

const notSaid = (error: Error): FleetError => FleetError.of('OUTPUT_FAILED', `standard output: ${error.message}`);

/** Prints a failure in the one form: code, reason, what to do next. Returns the exit code. */
export function sayFailure(error: unknown, json: boolean): number {
  const failure = classify(error);
  const exitCode = exitCodeOf(failure);
  if (json) {
    const said: ErrorOutput = { error: { ...failure.toFailure(), reason: visible(failure.message) }, exitCode };
    sayJson(said);
    return exitCode;
  }
  const [first = '', ...more] = failure.message.trim().split('\n');
  const { hint, cause } = failure;
  warn(
    `gitfleet: ${failure.code}: ${visible(first)}`,
    ...more.map((line) => `  ${visible(line)}`),
    ...(hint ? [`  ${hint}`] : []),
    ...(failure.next === 'bug' && cause instanceof Error ? [clean(cause.stack ?? '', 4_000)] : []),
  );
  return exitCode;
}

export const usage = (reason: string, hint: string): FleetError => FleetError.of('USAGE', reason, hint);
