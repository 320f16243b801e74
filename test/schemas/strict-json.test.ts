import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseStrictJson } from '../../schemas/text/strict-json.ts';
import { SEED } from '../support/seeded.ts';

const MAX = 16 * 1024 * 1024;

/** The value, or the code of the refusal. */
function read(text: string): unknown {
  const parsed = parseStrictJson(Buffer.from(text), MAX);
  return parsed.ok ? parsed.value : parsed.failure.code;
}

describe('parseStrictJson', () => {
  it.each([
    '{"a":1,"a":2}',
    '{"a":1,"\\u0061":2}',
    '{ "a" \n:\t1 , "b":[{"a":1}] , "a"\r\n:2}',
    '[[{"x":{"":1,"":2}}]]',
    '{"b":{"a":1},"a":"}","c":"\\"","a":0}',
    '{"__proto__":1,"__proto__":2}',
  ])('%s names a member twice', (text) => expect(read(text)).toBe('DUPLICATE'));

  it.each(['{"a":{"a":{"a":1}}}', '[{"a":1},{"a":2}]', '{"a":"a","b":"a"}', '["a","a"]', '{"a":"\\"a\\":"}', ' {} '])(
    '%s does not',
    (text) => expect(read(text)).toEqual(JSON.parse(text)),
  );

  it.each(['"', '{"', '{"\\', '}}}', ']', '{"\\q":1}', '{"\\q":1,"\\q":1}', '{"a" "a":1}', '\u00a0{}', '{"a":1,}'])(
    '%j is malformed and harmless',
    (text) => expect(read(text)).toBe('JSON'),
  );

  it('reads a million levels and a million keys in time that grows with their length', () => {
    const million = 1_000_000;
    const texts = ['['.repeat(million), '{'.repeat(million), '{"a":'.repeat(million), '"'.repeat(million)];
    const keys = `{${Array.from({ length: 300_000 }, (_, n) => `"${n}":0`).join(',')}}`;
    const spaces = `{"a"${' '.repeat(million)}:1}`;
    for (const text of [...texts, keys, spaces, `"${'\\'.repeat(million)}`]) {
      // What grew with the square of the length would take hours here: the time limit of the test is the bound.
      expect(() => read(text)).not.toThrow();
    }
  });

  it('says where, and never quotes what it read', () => {
    const parsed = parseStrictJson(Buffer.from('{"a":"c4nary" c4nary}'), MAX);
    expect(!parsed.ok && parsed.failure.reason).toMatch(/^not JSON: syntax error at position \d+$/);
  });

  it(`agrees with JSON.parse on everything that has no member twice (seed ${SEED})`, () => {
    const check = (value: unknown, space: number) => {
      const text = JSON.stringify(value, null, space);
      expect(read(text)).toEqual(JSON.parse(text));
    };
    fc.assert(fc.property(fc.jsonValue(), fc.nat({ max: 3 }), check), { seed: SEED });
  });
});
