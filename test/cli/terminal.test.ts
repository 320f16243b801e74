import { afterEach, describe, expect, it, vi } from 'vitest';
import { sayFailure } from '../../cli/shell/terminal.ts';
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
