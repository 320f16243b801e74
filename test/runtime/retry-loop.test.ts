import { expect, it } from 'vitest';
import { type Clock, systemClock } from '../../runtime/clock.ts';
import type { Code } from '../../runtime/codes.ts';
import { FleetError, type NextStep } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/log.ts';
import { createRetryLoop } from '../../runtime/retry-loop.ts';

const failure = (code: Code, next: NextStep) =>
  new FleetError({ code, reason: `get /x: ${code}`, hint: 'fix it', next });

function patient() {
  let now = 0;
  const clock: Clock = { ...systemClock, monotonic: () => now };
  const lines: Record<string, unknown>[] = [];
  const log = { warn: (fields: Record<string, unknown>) => lines.push(fields) } as unknown as Logger;
  const retryLoop = createRetryLoop({ clock, random: () => 1, log });
  const fail = (error: FleetError): number => {
    const wait = retryLoop.failed(error, { path: '/x' }, 'failed');
    now += wait;
    return wait;
  };
  return { clock, lines, retryLoop, fail };
}

it('what a person must fix is said once with its hint, then every ten minutes, and tried within a minute', () => {
  const { clock, lines, fail } = patient();
  let longest = 0;
  while (clock.monotonic() < 1_300_000) longest = Math.max(longest, fail(failure('NO_AUTH', 'stall')));
  expect(longest).toBe(60_000);
  expect(lines).toHaveLength(3);
  expect(lines[0]).toMatchObject({ hint: 'fix it', path: '/x' });
});

it('what passes without a person is tried as soon each time, and another failure is said at once', () => {
  const { lines, fail } = patient();
  for (let n = 0; n < 10; n++) expect(fail(failure('CONNECTION_LOSS', 'retry'))).toBe(1_500);
  expect(lines).toHaveLength(1);
  fail(failure('NO_AUTH', 'stall'));
  expect(lines).toHaveLength(2);
});

it('after a success the same failure is news, and tried again soon', () => {
  const { lines, retryLoop, fail } = patient();
  for (let n = 0; n < 8; n++) fail(failure('NO_AUTH', 'stall'));
  retryLoop.wentWell();
  expect(fail(failure('NO_AUTH', 'stall'))).toBe(1_500);
  expect(lines).toHaveLength(2);
});

it('a failure is known by its code and its subject: one with a new name in its text each time is said once', () => {
  const { lines, fail } = patient();
  for (let n = 0; n < 30; n++) fail(FleetError.of('NO_SPACE', `write /state/.tmp-${n}: no space left`));
  expect(lines).toHaveLength(1);
});

it('failures that take turns are each said once', () => {
  const { lines, fail } = patient();
  for (let n = 0; n < 30; n++) fail(failure(n % 2 ? 'CONNECTION_LOSS' : 'DEADLINE', 'retry'));
  expect(lines).toHaveLength(2);
});
