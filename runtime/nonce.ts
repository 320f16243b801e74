import { type Chance, systemChance } from './clock.ts';

/**
 * Tells one write from every other, by 128 bits of chance. Not secret: who can read a record can read its nonce. Not
 * drawn by node:crypto, which takes a command longer to load than all that it then does with it.
 */
export const newNonce = (chance: Chance = systemChance): string =>
  Array.from({ length: 4 }, () =>
    Math.floor(chance() * 2 ** 32)
      .toString(16)
      .padStart(8, '0'),
  ).join('');
