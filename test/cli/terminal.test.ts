import { afterEach, describe, expect, it, vi } from 'vitest';
import { sayFailure, sayJson } from '../../cli/shell/terminal.ts';
import { FleetError } from '../../runtime/errors.ts';

afterEach(() => vi.restoreAllMocks());

describe('a failure on the command line', () => {
  it('is said in one write, so that no line of the log falls between reason and hint', () => {
    const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    const taken = {
      code: 'STATE_TAKEN',
      reason: 'another agent works there\nsince noon',
      hint: 'see who',
      next: 'stall',
    } as const;
    expect(sayFailure(new FleetError(taken), false)).toBe(6);
    sayFailure(
      new FleetError({ ...taken, code: 'INTERNAL', hint: '', next: 'bug' }, { cause: new Error('lost') }),
      false,
    );
    expect(write.mock.calls).toEqual([
      ['gitfleet: STATE_TAKEN: another agent works there\n  since noon\n  see who\n'],
      [expect.stringMatching(/^gitfleet: INTERNAL: .*\n {2}since noon\nError: lost\n/)],
    ]);
  });
});

it('JSON is said without anything that hides itself, and is the very value', () => {
  const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  const value = { outcome: { by: 'ann\u202eeve\u009b2J\u200d' } };
  sayJson(value);
  const line = String(write.mock.calls[0]?.[0]);
  expect(line).toBe('{"outcome":{"by":"ann\\u202eeve\\u009b2J\\u200d"}}\n');
  expect(JSON.parse(line)).toEqual(value);
});
