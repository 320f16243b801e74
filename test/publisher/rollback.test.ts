import { describe, expect, it } from 'vitest';
import { lastProven, namedIn } from '../../publisher/rollback.ts';
import { backWords } from '../../publisher/screens/next-commands.ts';
import type { Deployment, Outcome } from '../../schemas/deployment.ts';
import { record } from './fixtures.ts';

/** `2 b proven`, or `4 a proven back-to 1`; newest first. */
const history = (...lines: string[]): Deployment[] =>
  lines.map((line) => {
    const [number, commitId, state, , returnsTo] = line.split(' ') as [
      string,
      string,
      Outcome['state'],
      string?,
      string?,
    ];
    return {
      number: Number(number),
      target: { url: 'u', commitId, relativePath: 'p' },
      outcome: { state } as Outcome,
      returnsTo: returnsTo === undefined ? null : Number(returnsTo),
    } as Deployment;
  });

describe('where rollback goes without an argument', () => {
  it.each([
    ['the proven one before', ['2 b proven', '1 a proven'], 1],
    ['past failed and superseded ones', ['4 d failed', '3 c failed', '2 b superseded', '1 a proven'], 1],
    ['past the same target published again', ['3 b failed', '2 b proven', '1 a proven'], 1],
    ['two rollbacks in a row go two steps back', ['4 b proven back-to 2', '3 c proven', '2 b proven', '1 a proven'], 1],
    ['nowhere when nothing earlier is proven', ['2 b proven', '1 a failed'], undefined],
    ['nowhere in an empty history', [], undefined],
  ])('%s', (_, lines, expected) => {
    expect(lastProven(history(...lines))?.number).toBe(expected);
  });
});

describe('where rollback goes by a commit', () => {
  const lines = history(
    '5 abcdef22 proven',
    '4 abcdef11 failed',
    '3 abcdef11 proven',
    '2 bbbbbbb1 failed',
    '1 abcdef11 proven',
  );
  it.each([
    ['to the newest proven deployment of it', 'abcdef11', 3],
    ['to the newest one where none is proven', 'bbbbbbb', 2],
  ])('%s', (_, commit, expected) => expect(namedIn(lines, { commit }).number).toBe(expected));

  it.each([
    ['the beginning of two commits', 'abcdef', 'AMBIGUOUS_REV'],
    ['one that was never deployed', 'ccccccc', 'DEPLOYMENT_UNKNOWN'],
  ])('never by %s', (_, commit, code) =>
    expect(() => namedIn(lines, { commit })).toThrowError(expect.objectContaining({ code })),
  );
});

it('the hint names the deployment that the verb names: of a rollback the one that it returned to', () => {
  expect(backWords(record({ number: 14, via: 'rollback', returnsTo: 11 }))).toMatch(/^back to d-11 [0-9a-f]{10}: /);
  expect(backWords(record({ number: 11 }))).toMatch(/^back to d-11 /);
});
