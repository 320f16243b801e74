import { describe, expect, expectTypeOf, it } from 'vitest';
import { FleetError } from '../../runtime/errors.ts';
import {
  type AllowedTarget,
  allowTarget,
  encodeTarget,
  type JudgedTarget,
  parseTarget,
  type Target,
} from '../../schemas/target.ts';
import {
  compareTargetVersions,
  isTargetVersion,
  parseTargetVersion,
  targetVersionOf,
} from '../../schemas/target-version.ts';
import { ANY_URL } from '../../schemas/url.ts';
import { COMMIT, PATH, URL } from './target-corpus.ts';

const bytes = (value: unknown) => Buffer.from(JSON.stringify(value));
const contract = { url: URL, commitId: COMMIT, relativePath: PATH };
const parse = (value: unknown, allow: readonly string[] = ['https://git.example.com']) =>
  parseTarget(bytes(value), { allow });

describe('a target that an agent may act on', () => {
  it('is one that its own list took and its door allowed, by its type too: no other target, and no changed copy', () => {
    const judged = parse(contract);
    if (!judged.ok) throw new FleetError(judged.failure);
    expectTypeOf(judged.target).not.toExtend<JudgedTarget>();
    const allowed = allowTarget(judged.target, null);
    expectTypeOf(allowed).toEqualTypeOf<AllowedTarget>();
    const copy = { ...allowed, relativePath: allowed.relativePath };
    expectTypeOf(copy).not.toExtend<JudgedTarget>();
    expectTypeOf<Target>().not.toExtend<JudgedTarget>();
    const anybodys = parseTarget(bytes(contract), ANY_URL);
    expectTypeOf<Extract<typeof anybodys, { ok: true }>['target']>().not.toExtend<JudgedTarget>();
    expect(parse(contract, [])).toMatchObject({ failure: { code: 'NOT_ALLOWED' } });
  });
});

describe('gitfleet in a target', () => {
  it('keeps what we know and drops what we do not', () => {
    const gitfleet = { deployment: 12, ref: 'main', by: 'ann', reason: 'why', must: ['ref'] };
    const parsed = parse({ ...contract, gitfleet: { ...gitfleet, later: { deep: [1] } } });
    expect(parsed).toEqual({ ok: true, target: { ...contract, gitfleet } });
  });

  it('has a policy of its own, whose defaults are filled in and whose mistakes are named', () => {
    const parsed = parse({ ...contract, gitfleet: { policy: { canary: 1, later: true } } });
    expect(parsed).toMatchObject({ ok: true, target: { gitfleet: { policy: { canary: 1, maxParallel: '25%' } } } });
    expect(parse({ ...contract, gitfleet: { policy: { maxParallel: 'x' } } })).toMatchObject({
      failure: {
        code: 'SHAPE',
        reason: 'gitfleet.policy.maxParallel: must be a whole number from 1, or a share from 1% to 100%',
      },
    });
    for (const policy of [null, 'x', []])
      expect(parse({ ...contract, gitfleet: { policy } })).toMatchObject({ failure: { code: 'SHAPE' } });
  });

  it('refuses what it must understand and does not, naming it', () => {
    const gitfleet = { attestation: 'x', must: ['ref', 'attestation', '__proto__'] };
    const parsed = parse({ ...contract, gitfleet });
    expect(parsed).toMatchObject({ ok: false, failure: { code: 'MUST_UNKNOWN', next: 'stall' } });
    expect(!parsed.ok && parsed.failure.reason).toContain('"attestation", "__proto__"');
  });

  it.each([null, 'x', [], { deployment: 0 }, { deployment: 1.5 }, { ref: null }, { must: 'ref' }, { must: [1] }])(
    'refuses %j as a shape',
    (gitfleet) => {
      expect(parse({ ...contract, gitfleet })).toMatchObject({ failure: { code: 'SHAPE' } });
    },
  );
});

describe('the order of the checks', () => {
  const wrong = { url: 'ext::sh', commitId: 'HEAD', relativePath: '..' };
  it.each([
    ['SHAPE', { ...wrong, more: 1, gitfleet: { must: ['x'] } }],
    ['MUST_UNKNOWN', { ...wrong, gitfleet: { must: ['x'] } }],
    ['URL', wrong],
    ['COMMIT', { ...wrong, url: 'https://other.example.com/r' }],
    ['PATH', { ...contract, url: 'https://other.example.com/r', relativePath: '..' }],
    ['NOT_ALLOWED', { ...contract, url: 'https://other.example.com/r' }],
  ])('finds %s first', (code, value) => {
    expect(parse(value)).toMatchObject({ failure: { code } });
  });

  it('an empty list allows nothing, and says where to list', () => {
    const parsed = parse(contract, []);
    expect(parsed).toMatchObject({ failure: { code: 'NOT_ALLOWED' } });
    expect(!parsed.ok && parsed.failure.hint).toContain('--allow-url');
  });
});

describe('encodeTarget', () => {
  const target = parseTarget(bytes(contract), ANY_URL);
  const legal = (target.ok ? target.target : null) as Target;

  it('writes the three members, and gitfleet only where there is one', () => {
    expect(JSON.parse(encodeTarget(legal).toString())).toEqual(contract);
    const added = { ...legal, gitfleet: { deployment: 3 } };
    expect(JSON.parse(encodeTarget(added).toString())).toEqual({ ...contract, gitfleet: { deployment: 3 } });
  });

  it('never writes what every agent would refuse', () => {
    const wrong = { ...legal, relativePath: '..' as Target['relativePath'] };
    expect(() => encodeTarget(wrong)).toThrow(FleetError);
    const long = { ...legal, gitfleet: { reason: 'x'.repeat(20_000) } };
    expect(() => encodeTarget(long)).toThrow(/at most 16384/);
  });
});

describe('targetVersion', () => {
  it('names a write by zxid and time', () => {
    const version = targetVersionOf({ mzxid: 0x1_0000_00ffn, mtime: 1_700_000_000_123 });
    expect(version).toBe('1000000ff.1700000000123');
    expect(parseTargetVersion(version)).toEqual({ mzxid: 0x1_0000_00ffn, mtime: 1_700_000_000_123 });
    expect(targetVersionOf({ mzxid: -1n, mtime: 0 })).toBe('ffffffffffffffff.0');
  });

  it('orders by zxid, then by time', () => {
    const of = (mzxid: bigint, mtime: number) => targetVersionOf({ mzxid, mtime });
    expect(compareTargetVersions(of(0x9n, 5), of(0x10n, 1))).toBe(-1);
    expect(compareTargetVersions(of(0x10n, 1), of(0x9n, 5))).toBe(1);
    expect(compareTargetVersions(of(9n, 5), of(9n, 6))).toBe(-1);
    expect(compareTargetVersions(of(9n, 5), of(9n, 5))).toBe(0);
  });

  it.each(['', 'x.1', '01.1', '1', '1.', '1.01', 'A.1', '1.1\n', '1'.repeat(17).concat('.1')])('is not %j', (text) => {
    expect(isTargetVersion(text)).toBe(false);
  });
});
