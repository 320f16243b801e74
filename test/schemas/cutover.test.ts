import { describe, expect, it } from 'vitest';
import { encodePolicy, parsePolicy, policy } from '../../schemas/policy.ts';
import { spreadOf } from '../../schemas/records/cutover.ts';
import { parsePolicyFile } from '../../schemas/settings/policy-file.ts';

const swap = (agentId: string, at: number, more = {}) => ({
  agentId,
  swapped: { instant: 1_000, at, errorMs: 1.2, waited: true, ...more },
});

describe('the spread', () => {
  it('is none where no agent swapped at an instant', () => {
    expect(spreadOf([])).toBeNull();
    expect(spreadOf([{ agentId: 'a', swapped: null }])).toBeNull();
  });

  it('is from the earliest to the latest of one instant, the widest of several', () => {
    const other = { instant: 9_000 };
    expect(spreadOf([swap('a', 1_001), swap('b', 1_031), swap('c', 9_000, other), swap('d', 9_007, other)])).toEqual({
      ...{ spreadMs: 30, errorMs: 3, waited: 4, delayed: [], unmeasured: [] },
    });
  });

  it('names the latest first', () => {
    const late = { waited: false };
    expect(spreadOf([swap('a', 1_500, late), swap('b', 7_000, late)])).toMatchObject({
      ...{ spreadMs: null, waited: 0 },
      delayed: [
        { agentId: 'b', delayMs: 6_000 },
        { agentId: 'a', delayMs: 500 },
      ],
    });
  });
});

describe('policy.cutover', () => {
  it('is named as to be understood where it is written, so that no version passes it over', () => {
    const bytes = encodePolicy(policy().parse({ cutover: 'together' }));
    expect(JSON.parse(bytes.toString())).toMatchObject({ cutover: 'together', must: ['cutover'] });
    expect(parsePolicy(bytes).value).toMatchObject({ cutover: 'together' });
    expect(JSON.parse(encodePolicy(policy().parse({})).toString())).not.toHaveProperty('must');
  });

  it('cannot be read where it asks for what this version does not know', () => {
    const bytes = Buffer.from(JSON.stringify({ canary: 1, sunrise: true, must: ['sunrise'] }));
    expect(parsePolicy(bytes)).toMatchObject({ value: null, unreadable: expect.stringContaining('no policy') });
  });

  it('takes no maxParallel beside it, and no other word', () => {
    expect(parsePolicyFile('cutover: together\ncanary: 1\n', 'p.yml')).toMatchObject({ cutover: 'together' });
    expect(() => parsePolicyFile('cutover: together\nmaxParallel: 5%\n', 'p.yml')).toThrow('leave it out');
    expect(() => parsePolicyFile('cutover: now\n', 'p.yml')).toThrow('must be together');
  });
});
