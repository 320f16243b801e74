import { describe, expect, it } from 'vitest';
import { createAncestry } from '../../publisher/ancestry.ts';
import { readBringsBack, takenBackIn } from '../../publisher/brings-back.ts';
import { bringsBackLines, unknownLines } from '../../publisher/screens/contains-lines.ts';
import type { CommitId } from '../../schemas/values.ts';
import { record, SCREEN, URL } from './fixtures.ts';

const id = (letter: string) => letter.repeat(40) as CommitId;
const [A, B, C, D] = [id('a'), id('b'), id('c'), id('d')];
const of = (number: number, commitId: string, over = {}) =>
  record({ number, previous: number - 1, target: { url: URL, commitId, relativePath: 'shop' }, ...over });
const back = { via: 'rollback', returnsTo: 1, reason: 'customers complain' } as const;

/** a <- b <- c, and d beside them. */
const graph = {
  containedIn: async (tip: CommitId, ids: readonly CommitId[]) =>
    tip === D ? null : ids.filter((each) => each !== D && each <= tip),
};

describe('what a rollback took back', () => {
  const history = [of(3, A, back), of(2, B), of(1, A)];

  it('is the commit that it left, by its number and reason; a way back tried again left nothing', () => {
    const taken = { commitId: B, deployment: 3, reason: 'customers complain' };
    expect(takenBackIn(history)).toEqual([taken]);
    expect(takenBackIn([of(4, A, { ...back, reason: 'd-3 again' }), ...history])).toEqual([taken]);
    expect(takenBackIn([of(2, B), of(1, A)])).toEqual([]);
  });

  it('comes back with what contains it, and not again with what is published after that', async () => {
    const brings = (from: CommitId, to: CommitId) =>
      readBringsBack(history, createAncestry(graph, to), createAncestry(graph, from));
    expect(await brings(A, C)).toMatchObject([{ commitId: B, deployment: 3 }]);
    expect(await brings(A, B)).toMatchObject([{ commitId: B }]);
    expect(await brings(B, C)).toEqual([]);
    expect(await brings(A, D)).toEqual([]);
    // Without a repository the commit itself is known by its name.
    const blind = createAncestry(null, B);
    expect(await readBringsBack(history, blind, createAncestry(null, A))).toMatchObject([{ commitId: B }]);
  });

  it('is said in a line each, ten at the most', async () => {
    const taken = { commitId: B, deployment: 3, reason: 'customers complain' };
    expect(bringsBackLines(C, [taken], SCREEN)).toEqual([
      '  warning: contains bbbbbbbbbb, which d-3 took back (customers complain)',
    ]);
    expect(bringsBackLines(B, [{ ...taken, reason: 'back to d-1' }], SCREEN)).toEqual([
      '  warning: bbbbbbbbbb is what d-3 took back',
    ]);
    const many = bringsBackLines(C, Array(47).fill(taken), SCREEN);
    expect(many).toHaveLength(11);
    expect(many.at(-1)).toBe('  warning: and 37 more that were taken back');
  });
});

it('what no clone tells blocks nothing, and is said', async () => {
  const blind = createAncestry(graph, D);
  expect(await blind.contains([A, D, B])).toEqual([D]);
  expect(unknownLines(blind.unknown, SCREEN)).toEqual([
    '  warning: no clone here tells whether it contains a commit in quarantine: aaaaaaaaaa, bbbbbbbbbb',
  ]);
  const told = createAncestry(graph, C);
  expect(await told.contains([A, D])).toEqual([A]);
  expect(unknownLines(told.unknown, SCREEN)).toEqual([]);
});
