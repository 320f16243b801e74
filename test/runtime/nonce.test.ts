import { describe, expect, it } from 'vitest';
import { newNonce } from '../../runtime/nonce.ts';

describe('a nonce', () => {
  it('is 128 bits of chance, as wide for the least of them as for the most', () => {
    const draws = [0, 0.5, 2 ** -32, 1 - 2 ** -53];
    expect(newNonce(() => draws.shift() as number)).toBe('000000008000000000000001ffffffff');
  });

  it('is another one each time', () => {
    expect(new Set(Array.from({ length: 1_000 }, () => newNonce())).size).toBe(1_000);
  });
});
