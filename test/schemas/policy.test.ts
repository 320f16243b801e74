import { describe, expect, it } from 'vitest';
import { amountOf, encodePolicy, foreignPolicy, parsePolicy, policy } from '../../schemas/policy.ts';
import { matches, parseSelector } from '../../schemas/selector.ts';

function chosen(text: string, labels: Record<string, string>): boolean {
  const parsed = parseSelector(text);
  if (!parsed.ok) throw new Error(parsed.failure.reason);
  return matches(parsed.selector, labels);
}

describe('a selector', () => {
  const web = { role: 'web', zone: 'a', 'team/owner': 'shop', empty: '' };
  it.each([
    ['role=web', true],
    ['role==web', true],
    ['role = web', true],
    ['role=db', false],
    ['zone!=b', true],
    ['zone!=a', false],
    ['missing!=b', true],
    ['zone in (a,b)', true],
    ['zone in ( b , c )', false],
    ['zone notin (b,c)', true],
    ['zone notin (a)', false],
    ['missing notin (a)', true],
    ['role', true],
    ['missing', false],
    ['!missing', true],
    ['!role', false],
    ['empty=', true],
    ['team/owner=shop', true],
    ['role=web,zone in (a,b),!spare', true],
    ['role=web,zone in (b),!spare', false],
    ['toString', false],
    ['__proto__=x', false],
  ])('%s chooses: %s', (text, is) => {
    expect(text === '__proto__=x' ? parseSelector(text).ok : chosen(text, web)).toBe(is);
  });

  it.each(['', ',', 'role=web,', 'a b', 'zone in', 'zone in ()', 'zone in (a', 'zone (a)', '=b', 'a=b=c', 'rôle=web'])(
    '%j is none, and the answer says how one looks',
    (text) => {
      const parsed = parseSelector(text);
      expect(parsed.ok).toBe(false);
      if (!parsed.ok)
        expect(parsed.failure).toMatchObject({ code: 'SELECTOR', hint: expect.stringContaining('role=') });
    },
  );

  it('that compares with nothing is none, and the answer says what may be meant', () => {
    for (const text of ['zone==', 'role=web,zone ==']) {
      const parsed = parseSelector(text);
      const hint =
        'give the value: zone==VALUE; or zone for any value, !zone for agents without it, zone= for an empty one';
      expect(parsed).toMatchObject({ ok: false, failure: { code: 'SELECTOR', hint } });
    }
  });

  it('of a book is refused by its length', () => {
    expect(parseSelector('a,'.repeat(10_000))).toMatchObject({ ok: false });
  });
});

describe('a policy', () => {
  it('with a deadline that no server could keep is none: each commit would go into quarantine', () => {
    for (const deadline of ['0s', '0', '500ms', '999ms', '25d']) {
      expect(policy().safeParse({ deadline }).success).toBe(false);
      expect(parsePolicy(Buffer.from(JSON.stringify({ deadline }))).unreadable).not.toBeNull();
    }
    expect(policy().parse({ deadline: '1s', soak: '0s' })).toMatchObject({ deadline: '1s', soak: '0s' });
  });

  it('has defaults that stop at the first failure and go back', () => {
    expect(policy().parse({})).toEqual({
      maxParallel: '25%',
      soak: '0s',
      promote: 'auto',
      failureBudget: 0,
      offlineBudget: '50%',
      deadline: '15m',
      onFailure: 'rollback',
    });
  });

  it.each([
    { canary: 1 },
    { canary: '10%' },
    { canary: 'role=canary' },
    { canary: 'zone in (a,b),!spare', maxParallel: 3, byLabel: 'zone' },
    { failureBudget: '5%', offlineBudget: 2, onFailure: 'continue', soak: '10m', promote: 'manual' },
  ])('is read as it was written: %j', (written) => {
    expect(parsePolicy(encodePolicy(policy().parse(written)))).toEqual({
      value: policy().parse(written),
      unreadable: null,
    });
  });

  it.each([
    { canary: 0 },
    { canary: '0%' },
    { canary: '101%' },
    { canary: 'a b' },
    { canary: 'one' },
    { canary: '10' },
    { maxParallel: '0%' },
    { maxParallel: 0 },
    { maxParallel: 1.5 },
    { failureBudget: -1 },
    { soak: 5 },
    { soak: '99d' },
    { byLabel: 'a b' },
    { onFailure: 'explode' },
    { max_parallel: 1 },
  ])('refuses %j', (written) => {
    expect(policy().safeParse(written).success).toBe(false);
  });

  it('of a newer version is read, one that is broken stands in the way', () => {
    expect(foreignPolicy().parse({ canary: 1, later: true })).toEqual(policy().parse({ canary: 1 }));
    expect(parsePolicy(Buffer.alloc(0))).toEqual({ value: null, unreadable: null });
    for (const text of ['x', '[]', '{"canary":0}']) expect(parsePolicy(Buffer.from(text)).unreadable).not.toBeNull();
  });

  it('rounds a share down', () => {
    expect([amountOf('25%', 6), amountOf('25%', 3), amountOf('100%', 7), amountOf(2, 100)]).toEqual([1, 0, 7, 2]);
  });
});
