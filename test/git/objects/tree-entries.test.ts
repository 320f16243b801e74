import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type DiffSide, entriesThatDiffer } from '../../../git/objects/tree-entries.ts';
import { SEED } from '../../support/seeded.ts';

type Entry = readonly [name: string, mode: string, id: Buffer];

const treeOf = (entries: readonly Entry[]): Buffer =>
  Buffer.concat(entries.map(([name, mode, id]) => Buffer.concat([Buffer.from(`${mode} ${name}\0`, 'latin1'), id])));

/** Ids that differ in their first, a middle or their last byte alone. */
const idOf = (byte: number, where: 'first' | 'middle' | 'last' | 'all' = 'all', bytes = 20) => {
  const id = Buffer.alloc(bytes, where === 'all' ? byte : 0x30);
  id[{ first: 0, middle: bytes >> 1, last: bytes - 1, all: 0 }[where]] = byte;
  return id;
};

/** As git sorts: a directory as if it ended with a slash. */
const inOrder = (entries: readonly Entry[]): Entry[] => {
  const key = ([name, mode]: Entry) => Buffer.from(mode === '40000' ? `${name}/` : name, 'latin1');
  return entries.toSorted((a, b) => Buffer.compare(key(a), key(b)));
};

/** Few names, modes and ids, so that trees often share some; zeros, blanks and slashes in the ids on purpose. */
const entryOf = (bytes: number) =>
  fc.tuple(
    fc.constantFrom('a', 'a.b', 'a-b', 'a b', 'b', 'caf\xe8', 'caf\xe9', 'z'.repeat(300), '0', '1', '10', '2'),
    fc.constantFrom('100644', '100755', '40000', '120000', '160000'),
    fc
      .tuple(fc.constantFrom(0, 0x20, 0x2f, 0x31, 0xff), fc.constantFrom('first', 'middle', 'last', 'all'))
      .map(([byte, where]) => idOf(byte, where, bytes)),
  );
const treeWith = (bytes: number) =>
  fc.uniqueArray(entryOf(bytes), { selector: ([name]) => name, maxLength: 12 }).map(inOrder);

describe('the entries of two trees that differ', () => {
  it.each([20, 32])('hold every difference, and nothing that is not in its tree, with ids of %d bytes', (bytes) => {
    fc.assert(
      fc.property(treeWith(bytes), treeWith(bytes), (a, b) => {
        const [old, young] = entriesThatDiffer(treeOf(a), treeOf(b), bytes);
        const sides = (entries: readonly Entry[]) =>
          new Map<string, DiffSide>(entries.map(([name, mode, id]) => [name, { mode, id: id.toString('hex') }]));
        const [wholeA, wholeB] = [sides(a), sides(b)];
        for (const [name, side] of old) expect(wholeA.get(name)).toEqual(side);
        for (const [name, side] of young) expect(wholeB.get(name)).toEqual(side);
        for (const name of new Set([...wholeA.keys(), ...wholeB.keys()])) {
          const same = JSON.stringify(wholeA.get(name)) === JSON.stringify(wholeB.get(name));
          if (!same) expect([old.get(name), young.get(name)]).toEqual([wholeA.get(name), wholeB.get(name)]);
          // What is left out on one side is left out on the other: else it would look added or gone.
          else expect(old.has(name)).toBe(young.has(name));
        }
      }),
      { seed: SEED, numRuns: 2_000 },
    );
  });

  it('are read, and no others', () => {
    const before = Array.from({ length: 300 }, (_, n): Entry => [`${1_000 + n}.txt`, '100644', idOf(n % 200)]);
    const after = before.map(([name, mode, id], at): Entry => [name, mode, at === 150 || at === 152 ? idOf(250) : id]);
    const [old, young] = entriesThatDiffer(treeOf(before), treeOf(after), 20);
    expect([...old.keys()]).toEqual(['1150.txt', '1151.txt', '1152.txt']);
    expect([...young.keys()]).toEqual(['1150.txt', '1151.txt', '1152.txt']);
  });

  it.each(['first', 'middle', 'last'] as const)('are seen where ids differ in their %s byte alone', (where) => {
    const [a, b] = [1, 2].map((byte) => treeOf([['a', '100644', idOf(byte, where)]])) as [Buffer, Buffer];
    expect(entriesThatDiffer(a, b, 20).map((side) => [...side.keys()])).toEqual([['a'], ['a']]);
  });

  const good = treeOf([['good', '100644', idOf(1)]]);
  const endless = Buffer.from(`100644 ${'x'.repeat(100)}`);
  it.each([
    ['without an end of the name', Buffer.from('100644 name')],
    ['without an end of a name that is longer than an id', endless],
    ['so behind an entry that is whole', Buffer.concat([good, endless])],
    ['within an id', treeOf([['name', '100644', idOf(1)]]).subarray(0, -1)],
  ])('are refused where a tree is cut short %s', (_, cut) => {
    const whole = treeOf([['other', '100644', idOf(2)]]);
    expect(() => entriesThatDiffer(whole, cut, 20)).toThrow(/cut short/);
    expect(() => entriesThatDiffer(cut, whole, 20)).toThrow(/cut short/);
    expect(() => entriesThatDiffer(good, cut, 20)).toThrow(/cut short/);
  });
});
