import { describe, expect, it } from 'vitest';
import type { CommitId } from '../../../schemas/values.ts';
import type { CheckColour } from '../../../serve/forges/checks.ts';
import { MOST_COMMITS, newestGreen } from '../../../serve/webhooks/newest-green.ts';

/** A branch, newest first: a letter per commit, and the colour of its check `test`. */
type Branch = readonly (readonly [letter: string, test: CheckColour | null])[];
const idOf = (letter: string) => letter.padEnd(40, '0') as CommitId;

function search(branch: Branch, over: { seen?: string; shown?: string | null; names?: string[]; new?: boolean } = {}) {
  const read: string[] = [];
  const found = newestGreen({
    commits: branch.map(([letter]) => idOf(letter)),
    names: over.names ?? ['test'],
    seen: over.new ? '' : idOf(over.seen ?? 'a'),
    shown: over.shown === null ? null : idOf(over.shown ?? over.seen ?? 'a'),
    isPublished: over.shown !== null,
    async readChecks(commitId) {
      const letter = commitId.replace(/0+$/, '');
      read.push(letter);
      const colour = branch.find(([each]) => each === letter)?.[1] ?? null;
      return new Map(colour === null ? [] : [['test', colour] as const]);
    },
  });
  return found.then((id) => ({ found: id === null ? null : id.replace(/0+$/, ''), read: read.join('') }));
}

describe('the newest commit whose checks passed', () => {
  it.each<[string, Branch, string | null, string]>([
    [
      'is the tip if its check is green',
      [
        ['c', 'green'],
        ['b', 'green'],
        ['a', 'green'],
      ],
      'c',
      'c',
    ],
    [
      'is none while the check of the only new one runs',
      [
        ['b', 'pending'],
        ['a', 'green'],
      ],
      null,
      'b',
    ],
    [
      'is none if the only new one is red',
      [
        ['b', 'red'],
        ['a', 'green'],
      ],
      null,
      'b',
    ],
    [
      'is none if the only new one has no such check',
      [
        ['b', null],
        ['a', 'green'],
      ],
      null,
      'b',
    ],
    [
      'is an older one below a red one',
      [
        ['c', 'red'],
        ['b', 'green'],
        ['a', 'green'],
      ],
      'b',
      'cb',
    ],
    [
      'is an older one below one that still runs',
      [
        ['c', 'pending'],
        ['b', 'green'],
        ['a', 'green'],
      ],
      'b',
      'cb',
    ],
  ])('%s', async (_, branch, found, read) => {
    expect(await search(branch)).toEqual({ found, read });
  });

  it('is never one that is older than what was seen: a check that turned red takes nothing back', async () => {
    expect(
      await search(
        [
          ['c', 'red'],
          ['b', 'green'],
          ['a', 'green'],
        ],
        { seen: 'c' },
      ),
    ).toEqual({ found: null, read: '' });
    const rolledBack: Branch = [
      ['c', 'green'],
      ['b', 'green'],
      ['a', 'green'],
    ];
    expect(await search(rolledBack, { seen: 'c', shown: 'a' })).toEqual({ found: null, read: '' });
  });

  it('is what a person published, whatever its checks say, and nothing older than that', async () => {
    const branch: Branch = [
      ['d', 'pending'],
      ['c', 'red'],
      ['b', 'green'],
      ['a', 'green'],
    ];
    expect(await search(branch, { shown: 'c' })).toEqual({ found: 'c', read: 'd' });
  });

  it('is the tip for the first look of an app that shows something, and a green one for an empty app', async () => {
    const branch: Branch = [
      ['c', 'red'],
      ['b', 'green'],
      ['a', 'green'],
    ];
    expect(await search(branch, { new: true, shown: 'a' })).toEqual({ found: 'c', read: '' });
    expect(await search(branch, { new: true, shown: null })).toEqual({ found: 'b', read: 'cb' });
  });

  it('needs each of the checks, and is none without a name', async () => {
    const branch: Branch = [
      ['b', 'green'],
      ['a', 'green'],
    ];
    expect(await search(branch, { names: ['test', 'lint'] })).toEqual({ found: null, read: 'b' });
    expect(await search(branch, { names: [] })).toEqual({ found: null, read: 'b' });
  });

  it('is looked for among 20 commits', async () => {
    const letters = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'];
    const branch = letters.map((letter): Branch[number] => [letter, letter < 'U' ? 'red' : 'green']);
    const { found, read } = await search(branch);
    expect([found, read.length]).toEqual([null, MOST_COMMITS]);
  });
});
