import { describe, expect, it } from 'vitest';
import { parsePushOptions, readPushOptions } from '../../hooks/push-options.ts';

const DEFAULTS = { wait: true, message: null, force: null, timeoutMs: 60_000, warnings: [] };

describe('push options', () => {
  it.each([
    [[], {}],
    [['ci.skip', 'merge_request.create', 'gitfleetish.wait=no'], {}],
    [['gitfleet.wait=no'], { wait: false }],
    [['gitfleet.wait=no', 'gitfleet.wait=yes'], {}],
    [['gitfleet.message=a = b, "c"'], { message: 'a = b, "c"' }],
    [['gitfleet.force=fixed in 2'], { force: 'fixed in 2' }],
    [['gitfleet.timeout=2m'], { timeoutMs: 120_000 }],
  ])('%j', (options, expected) => {
    expect(parsePushOptions(options)).toEqual({ ...DEFAULTS, ...expected });
  });

  it.each([
    [
      'gitfleet.wiat=no',
      'gitfleet.wiat is unknown; the options are gitfleet.wait, gitfleet.message, gitfleet.timeout, gitfleet.force',
    ],
    ['gitfleet.wait', 'gitfleet.wait must be yes or no, not ""'],
    ['gitfleet.wait=maybe', 'must be yes or no, not "maybe"'],
    ['gitfleet.message=', 'must be text'],
    ['gitfleet.force', 'must be text: why the commit may be deployed'],
    ['gitfleet.timeout=5', 'must be a duration from 1s to 1h, such as 2m, not "5"'],
    ['gitfleet.timeout=10ms', 'must be a duration from 1s'],
    ['gitfleet.timeout=2d', 'must be a duration from 1s'],
    ['gitfleet.__proto__=x', 'gitfleet.__proto__ is unknown'],
    ['gitfleet.', 'gitfleet. is unknown'],
    ['gitfleet.wait=\u001b[2Jx', 'not "\\u001b[2Jx"'],
    ['gitfleet.a\ngitfleet: d-1: 3/3', 'gitfleet.a\\ngitfleet: d-1: 3/3 is unknown'],
  ])('%j is warned about and changes nothing', (option, words) => {
    const { warnings, ...rest } = parsePushOptions([option]);
    expect({ ...rest, warnings: [] }).toEqual(DEFAULTS);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(words);
    expect(warnings[0]).toContain('the push ignores it');
  });

  it('are read from where git leaves them, and not beyond', () => {
    const given = {
      GIT_PUSH_OPTION_COUNT: '2',
      GIT_PUSH_OPTION_0: 'a',
      GIT_PUSH_OPTION_1: 'b',
      GIT_PUSH_OPTION_2: 'c',
    };
    expect(readPushOptions(given)).toEqual(['a', 'b']);
    for (const count of ['', '-1', 'x', '1e99', '0.5'])
      expect(readPushOptions({ GIT_PUSH_OPTION_COUNT: count })).toEqual([]);
    expect(readPushOptions({ GIT_PUSH_OPTION_COUNT: '99999999' })).toEqual([]);
  });
});
