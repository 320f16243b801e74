import { expect, it } from 'vitest';
import { branchLines } from '../../../publisher/screens/change-lines.ts';
import { NEW, OLD, previous, record } from '../fixtures.ts';

const undone = record({ ref: 'refs/heads/main' });
const [to, left] = [OLD.slice(0, 12), NEW.slice(0, 12)];

it.each([
  ['one commit back', 0, 1, [`main still contains 9dbcdf1ee3: git revert ${left}`]],
  [
    'several back: all of them are to be reverted',
    0,
    3,
    [`main still contains 9dbcdf1ee3 and 2 more before it: git revert --no-commit ${to}..${left}, then git commit`],
  ],
  ['forward: the branch has it all', 2, 0, []],
  ['aside', 1, 2, [`main still contains 9dbcdf1ee3: git log ${to}..${left} shows what a push would bring back`]],
  ['no clone tells', null, null, []],
])('what a rollback leaves on the branch: %s', (_, ahead, behind, lines) => {
  expect(branchLines(undone, previous(), { from: NEW, to: OLD, ahead, behind, titles: [] }, 'main')).toEqual(lines);
});

const back = { from: NEW, to: OLD, ahead: 0, behind: 1, titles: [] };

it('is nothing where the commit stayed the same', () => {
  expect(branchLines(undone, undone, { ...back, to: NEW, behind: 0 }, 'main')).toEqual([]);
});

it('is nothing where no branch is known to contain what was undone', () => {
  expect(branchLines(undone, previous(), back, null)).toEqual([]);
});

it('is nothing where the two come from different repositories: the branch of one says nothing about the other', () => {
  const other = previous();
  const elsewhere = { ...other, target: { ...other.target, url: 'https://git.example.com/mine.git' } };
  expect(branchLines(undone, elsewhere, back, 'main')).toEqual([]);
});
