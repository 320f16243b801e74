import { describe, expect, it } from 'vitest';
import { movesBranch, parseUpdates } from '../../hooks/choose-update.ts';

const A = 'a'.repeat(40);
const B = 'b'.repeat(40);
const ZERO = '0'.repeat(40);
const moves = (input: string) => movesBranch(parseUpdates(input), 'main');

describe('which pushes publish', () => {
  it.each([
    ['the branch moves', `${A} ${B} refs/heads/main\n`, true],
    ['the branch is made', `${ZERO} ${B} refs/heads/main\n`, true],
    ['among 300 others', `${`${A} ${B} refs/heads/other\n`.repeat(300)}${A} ${B} refs/heads/main\n`, true],
    ['without a final newline', `${A} ${B} refs/heads/main`, true],
    ['H01: the branch is deleted', `${A} ${ZERO} refs/heads/main\n`, false],
    ['H02: a tag', `${A} ${B} refs/tags/main\n`, false],
    ['H02: another branch', `${A} ${B} refs/heads/mainly\n`, false],
    ['H02: a hostile branch', `${A} ${B} refs/heads/$(id)\n`, false],
    ['H03: a malformed line', `${A} refs/heads/main\n`, false],
    ['H03: a line of a megabyte', `${'x'.repeat(1_048_576)}\n`, false],
    ['H03: nothing', '', false],
  ])('%s', (_, input, expected) => {
    expect(moves(input)).toBe(expected);
  });
});
