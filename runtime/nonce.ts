import { type Random, systemRandom } from './clock.ts';

/**
 * Distinguishes one write from every other: 128 bits, from the 64-bit seed of Math.random in each process. Not secret:
 * anyone who can read a record can read its nonce. Not from node:crypto, because loading it takes longer than
 * everything else that a command does.
 */
export const newNonce = (random: Random = systemRandom): string =>
  Array.from({ length: 4 }, () =>
    Math.floor(random() * 2 ** 32)
      .toString(16)
      .padStart(8, '0'),
  ).join('');
