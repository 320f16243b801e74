import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { isSignedBy, PUBLIC_KEY, signingKey } from '../../schemas/text/signed-json.ts';
import { SEED } from '../support/seeded.ts';

const key = signingKey(Buffer.alloc(32, 7));
const other = signingKey(Buffer.alloc(32, 8));
const json = (value: object) => Buffer.from(JSON.stringify(value));

it('signs any object so that its other members are read as before', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 1 }), (value) => {
      const wanted = JSON.parse(JSON.stringify({ ...value, signature: undefined }));
      if (Object.keys(wanted).length === 0) return;
      const data = key.sign('report web-1', json(wanted));
      expect(isSignedBy(key.publicKey, 'report web-1', data)).toBe(true);
      const { signature, ...read } = JSON.parse(data.toString());
      expect(signature).toMatch(/^[A-Za-z0-9_-]{86}$/);
      expect(JSON.stringify(read)).toBe(JSON.stringify(wanted));
    }),
    { seed: SEED },
  );
});

it('holds for one key and one subject, and for no other byte', () => {
  const data = key.sign('report web-1', json({ phase: 'active', at: 1 }));
  expect(isSignedBy(other.publicKey, 'report web-1', data)).toBe(false);
  expect(isSignedBy(key.publicKey, 'report web-2', data)).toBe(false);
  expect(isSignedBy(key.publicKey, 'presence web-1 1', data)).toBe(false);
  for (let at = 0; at < data.length; at += 1) {
    const changed = Buffer.from(data);
    changed[at] = (changed[at] as number) ^ 1;
    expect(isSignedBy(key.publicKey, 'report web-1', changed), `byte ${at}`).toBe(false);
  }
});

it('takes anything for unsigned that is something else', () => {
  const data = key.sign('a', json({ at: 1 }));
  for (const wrong of [Buffer.alloc(0), json({ at: 1 }), data.subarray(0, -1), data.subarray(1), randomBytes(300)]) {
    expect(isSignedBy(key.publicKey, 'a', wrong)).toBe(false);
  }
  // Also where the key is none: the point of order one signs everything for everybody.
  for (const wrong of ['', 'x', key.publicKey.slice(1), `${key.publicKey}A`, 'A'.repeat(43)]) {
    expect(isSignedBy(wrong, 'a', data)).toBe(false);
  }
  expect(PUBLIC_KEY.test(key.publicKey)).toBe(true);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => !isSignedBy(key.publicKey, 'a', Buffer.from(bytes))),
    { seed: SEED },
  );
});
