import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isPlain, type Share, sharesOf, variantOf } from '../../../fleet/flags/fractional.ts';
import { murmur3 } from '../../../fleet/flags/murmur3.ts';
import { SOAK } from '../../support/seeded.ts';

/** Made by fractional-fixture.mjs with another implementation of the hash. */
const FIXTURE = JSON.parse(readFileSync(join(import.meta.dirname, 'fractional-fixture.json'), 'utf8')) as {
  readonly keys: number;
  readonly block: number;
  readonly digests: readonly string[];
};
/** The soak looks at all of them. */
const DIGESTS = FIXTURE.digests.slice(0, SOAK ? undefined : 10);
/** In code points, as Python counts them. */
const LETTERS = [...'abcxyz019-_.äöüßéłşйжπ漢字仮名한글🙂👩‍👩‍👧🏳️‍🌈'];
const keyOf = (number: number): string => {
  const from = number % LETTERS.length;
  return `user-${number}-${LETTERS.slice(from, from + (number % 7)).join('')}`;
};
const SHARES: readonly Share[] = [
  ['on', 25],
  ['off', 75],
];
const MANY: readonly Share[] = [
  ['red', 1],
  ['green', 2 ** 30],
  ['blue', 7],
  ['none', 0],
  ['grey', 2 ** 30 - 9],
];

describe('murmur3', () => {
  // https://en.wikipedia.org/wiki/MurmurHash, seed 0.
  it.each([
    ['', 0],
    ['test', 0xba6bd213],
    ['Hello, world!', 0xc0363e43],
    ['The quick brown fox jumps over the lazy dog', 0x2e4ff723],
    ['abc', 3017643002],
  ])('hashes %j as published', (text, hash) => {
    expect(murmur3(text)).toBe(hash);
  });
});

describe('a share of the keys', () => {
  it(`gives ${DIGESTS.length * FIXTURE.block} keys, also such that are not ASCII, what flagd's rule gives them elsewhere`, () => {
    const wrong = DIGESTS.flatMap((expected, block) => {
      const digest = createHash('sha256');
      for (let number = block * FIXTURE.block; number < (block + 1) * FIXTURE.block; number++) {
        const key = keyOf(number);
        digest.update(`${variantOf('checkout', key, SHARES)} ${variantOf('colour', key, MANY)}\n`);
      }
      return digest.digest('hex').slice(0, 16) === expected ? [] : [block];
    });
    expect(wrong).toEqual([]);
    expect(DIGESTS.length).toBeGreaterThan(0);
  });

  it('takes no key out when it is raised', () => {
    let inside = new Set<number>();
    for (const percent of [1, 5, 25, 50, 99]) {
      const now = new Set<number>();
      for (let number = 0; number < 20_000; number++) {
        const shares: readonly Share[] = [
          ['on', percent],
          ['off', 100 - percent],
        ];
        if (variantOf('checkout', keyOf(number), shares) === 'on') now.add(number);
      }
      expect([...inside].filter((number) => !now.has(number))).toEqual([]);
      expect(Math.abs(now.size / 200 - percent)).toBeLessThan(1);
      inside = now;
    }
  });

  it('is read from a plain fractional rule, and from no other', () => {
    expect(
      sharesOf({
        fractional: [
          ['on', 25],
          ['off', 75],
        ],
      }),
    ).toEqual(SHARES);
    expect(sharesOf({ fractional: [['on'], ['off', -4]] })).toEqual([
      ['on', 1],
      ['off', 0],
    ]);
    for (const other of [
      null,
      'on',
      {},
      { if: [true, 'on'] },
      { fractional: [] },
      { fractional: [{ var: 'email' }, ['on', 1]] },
      { fractional: [['on', 1.5]] },
      { fractional: [['on', 1, 2]] },
      { fractional: [['on', 2 ** 31]] },
      { fractional: [['on', 1]], more: 1 },
    ])
      expect(sharesOf(other), JSON.stringify(other)).toBeNull();
    expect([undefined, null, {}, [], { if: [] }, 'x'].map(isPlain)).toEqual([true, true, true, false, false, false]);
  });
});
