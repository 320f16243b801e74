import { describe, expect, it } from 'vitest';
import { parseWanted, withDefinition, withFlag, withMetadata } from '../../../fleet/flags/edit.ts';
import { evaluate } from '../../../fleet/flags/evaluate.ts';
import { type Flags, NO_FLAGS, parseFlags } from '../../../schemas/flags.ts';

const read = (text: string): Flags => {
  const { value, unreadable } = parseFlags(Buffer.from(text));
  expect(unreadable).toBeNull();
  return value;
};
const set = (flags: Flags, name: string, word: string, variants: string[] = []) =>
  read(withFlag(flags, name, parseWanted(word), variants));

/** As another tool, or a newer version, wrote it: with members, spaces and numbers that we would write otherwise. */
const FOREIGN = `{"flags":{"old":{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"on","owner":"ann",  "weight":1.0},
  "ruled": {"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off","targeting":{"if":[{"in":["x",{"var":"email"}]},"on","off"]}}
 },"$evaluators":{"a":{"in":[1e3]}},"metadata":{"team":"shop","version":4}}`;

describe('a new flag', () => {
  it.each([
    ['on', true, 'on', 'STATIC'],
    ['off', false, 'off', 'STATIC'],
    ['0%', false, 'off', 'STATIC'],
    ['100%', true, 'on', 'STATIC'],
  ])('that is set to %s gives everyone %s', (word, value, variant, reason) => {
    expect(evaluate(set(NO_FLAGS, 'checkout', word), 'checkout')).toEqual({ value, variant, reason });
  });

  it('with a share gives it by targeting key, and the default without one', () => {
    const flags = set(NO_FLAGS, 'checkout', '25%');
    const on = Array.from({ length: 1_000 }, (_, at) => evaluate(flags, 'checkout', { targetingKey: `user-${at}` }));
    expect(on.filter(({ variant }) => variant === 'on').length).toBeGreaterThan(200);
    expect(new Set(on.map(({ reason }) => reason))).toEqual(new Set(['SPLIT']));
    expect(evaluate(flags, 'checkout')).toEqual({ value: false, variant: 'off', reason: 'DEFAULT' });
  });

  it('with variants takes one of them, and no other', () => {
    const flags = set(NO_FLAGS, 'colour', 'green', ['red', 'green']);
    expect(evaluate(flags, 'colour')).toEqual({ value: 'green', variant: 'green', reason: 'STATIC' });
    expect(() => set(flags, 'colour', 'blue')).toThrow('the flag colour has no variant blue');
    expect(() => set(flags, 'colour', '25%')).toThrow('the flag colour has no variant on');
  });
});

describe('a share that another tool wrote the other way round', () => {
  it('takes no key out when it is raised', () => {
    const fractional = [
      ['off', 75],
      ['on', 25],
    ];
    const text = withFlag(NO_FLAGS, 'checkout', parseWanted('25%'));
    const theirs = JSON.parse(text);
    theirs.flags.checkout.targeting = { fractional };
    const before = read(JSON.stringify(theirs));
    const after = set(before, 'checkout', '50%');
    const isOn = (flags: Flags, key: number) =>
      evaluate(flags, 'checkout', { targetingKey: `user-${key}` }).variant === 'on';
    const keys = Array.from({ length: 1_000 }, (_, at) => at);
    const on = keys.filter((key) => isOn(before, key));
    expect(on.length).toBeGreaterThan(200);
    expect(on.filter((key) => !isOn(after, key))).toEqual([]);
    expect(keys.filter((key) => isOn(after, key)).length).toBeGreaterThan(on.length);
  });
});

describe('a change', () => {
  it.each(['null', '"1.2"', '[]'])('is noted where another tool wrote %s as metadata', (metadata) => {
    const flags = read(`{"flags":{},"metadata":${metadata}}`);
    expect(read(withMetadata(flags.text, { version: 3, by: 'ann' })).metadata).toMatchObject({ version: 3, by: 'ann' });
  });

  it('leaves every byte that it does not speak about', () => {
    const text = withFlag(read(FOREIGN), 'old', parseWanted('off'));
    expect(text).toBe(FOREIGN.replace('"defaultVariant":"on","owner"', '"defaultVariant":"off","owner"'));
  });

  it('of a flag with a rule that is not ours switches it off, and does nothing else to it', () => {
    const flags = read(FOREIGN);
    expect(() => set(flags, 'ruled', 'on')).toThrow('has a targeting rule that this version does not know');
    expect(() => set(flags, 'ruled', '25%')).toThrow('has a targeting rule that this version does not know');
    expect(evaluate(set(flags, 'ruled', 'off'), 'ruled')).toMatchObject({ value: false, reason: 'STATIC' });
  });

  it('is taken back with the definition of before', () => {
    const before = set(NO_FLAGS, 'checkout', '25%');
    const after = set(before, 'checkout', 'on');
    const back = read(withDefinition(after, 'checkout', JSON.stringify(before.flags.get('checkout'))));
    expect(back.flags.get('checkout')).toEqual(before.flags.get('checkout'));
    expect(read(withDefinition(back, 'checkout', null)).flags.size).toBe(0);
  });

  it('keeps the metadata of others', () => {
    expect(read(withMetadata(FOREIGN, { version: 5, by: 'ann' })).metadata).toMatchObject({
      team: 'shop',
      version: 5,
      by: 'ann',
    });
  });
});

describe('a flag document', () => {
  it('that cannot be read is no document, and says why', () => {
    for (const bad of [
      '{',
      '[]',
      '{"flags":[]}',
      '{"flags":{},"flags":{}}',
      '"x"',
      '{}',
      `{"flags":{}}${' '.repeat(70_000)}`,
    ]) {
      expect(parseFlags(Buffer.from(bad)).unreadable, bad.slice(0, 30)).not.toBeNull();
    }
    expect(parseFlags(Buffer.alloc(0))).toEqual({ value: NO_FLAGS, unreadable: null });
  });

  it('keeps odd flags out of the others', () => {
    const flags = read(
      JSON.stringify({
        flags: {
          good: { state: 'ENABLED', variants: { on: true }, defaultVariant: 'on' },
          'no name': { state: 'ENABLED', variants: { on: true }, defaultVariant: 'on' },
          shapeless: { state: 'MAYBE' },
          lost: { state: 'ENABLED', variants: { on: true }, defaultVariant: 'off' },
          resting: { state: 'DISABLED', variants: { on: true }, defaultVariant: 'on' },
          silent: { state: 'ENABLED', variants: { on: true }, defaultVariant: null },
        },
      }),
    );
    expect([...flags.flags.keys()]).toEqual(['good', 'resting', 'silent']);
    expect(flags.unusable.map(({ name }) => name)).toEqual(['no name', 'shapeless', 'lost']);
    expect(evaluate(flags, 'shapeless')).toMatchObject({ reason: 'ERROR', errorCode: 'PARSE_ERROR' });
    expect(evaluate(flags, 'nothing')).toMatchObject({ reason: 'ERROR', errorCode: 'FLAG_NOT_FOUND' });
    expect(evaluate(flags, 'resting')).toMatchObject({ value: null, reason: 'DISABLED' });
    expect(evaluate(flags, 'silent')).toMatchObject({ value: null, reason: 'DEFAULT' });
    for (const name of ['__proto__', 'constructor', 'toString']) {
      expect(evaluate(flags, name)).toMatchObject({ reason: 'ERROR', errorCode: 'FLAG_NOT_FOUND' });
    }
  });
});
