// Makes fractional-fixture.json: what flagd's published rule gives for 1,000,000 keys, by another implementation of the
// hash. By hand, in an empty folder: npm install murmurhash3js-revisited@3.0.0, then in that folder
//   node .../test/fleet/flags/fractional-fixture.mjs > .../test/fleet/flags/fractional-fixture.json
//
// Rule (flagd, fractional operation): bucket = (murmur3_32(utf8(flag key + targeting key)) * total weight) >> 32.
// Keys as in fractional.test.ts; each block of 10,000 keys has one digest of its answers.
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';

const { x86 } = createRequire(`${process.cwd()}/`)('murmurhash3js-revisited');
const LETTERS = [...'abcxyz019-_.äöüßéłşйжπ漢字仮名한글🙂👩‍👩‍👧🏳️‍🌈'];
const SHARES = { on: 25, off: 75 };
const MANY = { red: 1, green: 2 ** 30, blue: 7, none: 0, grey: 2 ** 30 - 9 };
const BLOCK = 10_000;

function keyOf(number) {
  const from = number % LETTERS.length;
  return `user-${number}-${LETTERS.slice(from, from + (number % 7)).join('')}`;
}

function variantOf(flag, key, shares) {
  const hash = BigInt(x86.hash32([...new TextEncoder().encode(flag + key)], 0));
  const total = Object.values(shares).reduce((sum, weight) => sum + BigInt(weight), 0n);
  const bucket = (hash * total) / 4_294_967_296n;
  let end = 0n;
  return Object.keys(shares).find((name) => {
    end += BigInt(shares[name]);
    return bucket < end;
  });
}

const digests = [];
for (let block = 0; block < 100; block++) {
  const digest = createHash('sha256');
  for (let number = block * BLOCK; number < (block + 1) * BLOCK; number++) {
    const key = keyOf(number);
    digest.update(`${variantOf('checkout', key, SHARES)} ${variantOf('colour', key, MANY)}\n`);
  }
  digests.push(digest.digest('hex').slice(0, 16));
}
console.log(JSON.stringify({ keys: 100 * BLOCK, block: BLOCK, digests }, null, 2));
