import { type Random, systemRandom } from './clock.ts';

/**
 * Tells one write from every other: 128 bits, from the 64 by which V8 seeds Math.random in each process. Not secret: who can
 * read a record can read its nonce. Not drawn by node:crypto, which takes a command longer to load than all that it does.
 */
export const newNonce = (random: Random = systemRandom): string =>
  Array.from({ length: 4 }, () =>
    Math.floor(random() * 2 ** 32)
      .toString(16)
      .padStart(8, '0'),
  ).join('');
