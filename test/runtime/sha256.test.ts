import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { sha256 } from '../../runtime/sha256.ts';

it('says of each length of bytes what node:crypto says', () => {
  const bytes = (length: number) => Buffer.from(Array.from({ length }, (_, at) => (at * 167 + length) % 256));
  for (const length of [...Array.from({ length: 200 }, (_, at) => at), 1_000, 65_537]) {
    const data = bytes(length);
    expect(sha256(data), `${length} bytes`).toBe(createHash('sha256').update(data).digest('hex'));
  }
});
