import type { Seeded } from '../seeded.ts';

/** Any JSON value. */
export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

/** Bytes that no gitfleet wrote, with a short description of how a value was changed. */
export interface Hostile {
  readonly what: string;
  readonly data: Buffer;
}

/** ZooKeeper accepts 1 MiB for a whole request by default. */
const MAX_BYTES = 1_000_000;

/** Draws a replacement for `valid`: another structure, odd leaves, or bytes that are not JSON. */
export function hostileValue(random: Seeded, valid: Json): Hostile {
  const [value, ...told] = random.often(0.85) ? mutated(random, valid) : [valid, 'valid'];
  const text = JSON.stringify(value) ?? '';
  const [data, how] = random.often(0.25) ? random.pick(BYTES)(random, text) : [Buffer.from(text), ''];
  if (data.length > MAX_BYTES) return { what: 'cut to 1 MB', data: data.subarray(0, MAX_BYTES) };
  return { what: [...told, how].filter(Boolean).join(', '), data };
}

/** Text with everything that paints a screen, is invisible or changes the text direction. */
export const PAINT =
  '\u001b[31mred\u001b[0m\u001b]0;title\u0007\u009b2J\u202egpj\u2066x\u2069\u200b\u200d\ufeff\u0000\r\n\u2028\ud800';

const LEAVES: readonly Json[] = [
  null,
  true,
  0,
  -1,
  0.5,
  1e308,
  -1e308,
  2 ** 53,
  2 ** 31,
  Number.MIN_VALUE,
  '',
  'NaN',
  'Infinity',
  '-0',
  '1e999',
  [],
  {},
  [null],
  '__proto__',
  'constructor',
  PAINT,
  `${PAINT} `.repeat(500),
  'x'.repeat(100_000),
  '../outside',
  '/etc/passwd',
  'ext::sh -c touch% outside',
  'file:///etc',
  '--upload-pack=touch outside',
  '99999999999d',
  '24d',
  '-5m',
  '1ms',
  '10000%',
  'f'.repeat(40),
  '0'.repeat(40),
  'ffffffffffffffff.9999999999999999',
  '0.0',
  'role in (',
];
const NAMES = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'length', 'then', 'toJSON', '', PAINT, 'x'];

/** One to three changes, each at some place in the value. */
function mutated(random: Seeded, valid: Json): [Json, ...string[]] {
  let value = structuredClone(valid);
  const told: string[] = [];
  for (let n = random.often(0.6) ? 1 : 3; n > 0; n -= 1) {
    const places = placesOf(value);
    const [path, holder, name] = random.pick(places);
    const [how, put] = random.pick(CHANGES)(random, holder === null ? value : (holder as Holder)[name]);
    if (holder === null) value = put ?? null;
    else if (put === undefined) delete (holder as Holder)[name];
    else set(holder as Holder, name, put);
    told.push(`${how} at ${path || 'the top'}`);
    if (/^\d{4,} /.test(how)) break; // Already as large as possible.
  }
  return [value, ...told];
}

type Holder = Record<string, Json>;
type Place = readonly [path: string, holder: object | null, name: string];

/** Every member, the whole value first; an array counts as an object with numbers as names. */
function placesOf(value: Json): Place[] {
  const found: Place[] = [['', null, '']];
  const walk = (at: Json, path: string): void => {
    if (at === null || typeof at !== 'object' || found.length > 500) return;
    for (const name of Object.keys(at).slice(0, 50)) {
      const below = `${path}.${name}`.slice(0, 60);
      found.push([below, at, name]);
      walk((at as Holder)[name] as Json, below);
    }
  };
  walk(value, '');
  return found;
}

/** `__proto__` as an own member, as JSON.parse creates it. */
function set(holder: Holder, name: string, value: Json): void {
  Object.defineProperty(holder, name, { value, enumerable: true, configurable: true, writable: true });
}

/** A copy: a later change of the same value would change the list, or put an object into itself. */
const leaf = (random: Seeded): Json => structuredClone(random.pick(LEAVES));

type Change = (random: Seeded, was: Json | undefined) => [how: string, put: Json | undefined];

const CHANGES: readonly Change[] = [
  () => ['removed', undefined],
  (random) => ['a leaf', leaf(random)],
  (random) => ['a leaf', leaf(random)],
  (_, was) => ['in a list', [was ?? null]],
  (_, was) => ['as text', JSON.stringify(was ?? null).slice(0, 10_000)],
  (random, was) => {
    const holder: Holder = was !== null && typeof was === 'object' && !Array.isArray(was) ? { ...was } : {};
    set(holder, random.pick(NAMES), leaf(random));
    return ['one more member', holder];
  },
  (random, was) => {
    const many = random.pick([50, 2_000, 60_000]);
    const each = JSON.stringify(was ?? null).length * many < MAX_BYTES ? (was ?? null) : 0;
    return [`${many} of it`, Array.from({ length: many }, () => each)];
  },
  (random) => {
    const many = random.pick([50, 2_000, 60_000]);
    return [`${many} members`, Object.fromEntries(Array.from({ length: many }, (_, n) => [`m${n}`, n]))];
  },
  (random) => ['nested', nested(random.pick([10, 300, 1_000]))],
];

/** JSON.stringify would fail with more; the deepest ones are made from bytes, below. */
function nested(depth: number): Json {
  let value: Json = 1;
  for (let n = 0; n < depth; n += 1) value = n % 2 === 0 ? [value] : { a: value };
  return value;
}

type Bytes = (random: Seeded, text: string) => [data: Buffer, how: string];

const BYTES: readonly Bytes[] = [
  () => [Buffer.alloc(0), 'empty'],
  (random, text) => [Buffer.from(text).subarray(0, random.below(text.length + 1)), 'cut'],
  (random, text) => {
    const bytes = Buffer.from(text);
    const at = random.below(bytes.length + 1);
    const odd = random.pick([[0xff, 0xfe], [0xc3, 0x28], [0xed, 0xa0, 0x80], [0], [0xf4, 0x90, 0x80, 0x80]]);
    return [Buffer.concat([bytes.subarray(0, at), Buffer.from(odd), bytes.subarray(at)]), 'no UTF-8'];
  },
  (_, text) => [Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(text)]), 'a byte order mark'],
  (_, text) => [Buffer.from(text, 'utf16le'), 'UTF-16'],
  (_, text) => [Buffer.concat([Buffer.from(text), Buffer.alloc(Math.max(0, MAX_BYTES - text.length), ' ')]), '1 MB'],
  (_, text) => [Buffer.from(`${text}${text}`), 'twice'],
  (random) => [Buffer.from(Array.from({ length: 200 }, () => random.below(256))), 'noise'],
  (random, text) => [Buffer.from(deepened(random, text, random.pick([20_000, 400_000]))), 'bottomless'],
  (random, text) => [Buffer.from(text.replace(/\d+/, random.pick(['NaN', '1e999', '-Infinity', '007']))), 'a number'],
  (_, text) => [Buffer.from(text.replace(/^\{("[^"]*":)/, '{$1null,$1')), 'a member twice'],
];

/** Replaces one of the plain members by nested lists. */
function deepened(random: Seeded, text: string, depth: number): string {
  const lists = `${'['.repeat(depth)}${']'.repeat(depth)}`;
  const members = [...text.matchAll(/:("[^"]*"|[\d.]+|null)/g)];
  if (members.length === 0) return lists;
  const { index, 0: member } = random.pick(members);
  return `${text.slice(0, index)}:${lists}${text.slice(index + member.length)}`;
}
