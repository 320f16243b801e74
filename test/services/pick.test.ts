import { describe, expect, it } from 'vitest';
import type { Instance } from '../../services/instance.ts';
import { afterError, NOTHING_PICKED, type PickMemory, type PickRule, pick } from '../../services/pick.ts';

const instance = (at: number, commit = 'c0ffee', labels: Record<string, string> = {}): Instance => ({
  ...{ name: `web-${at}`, host: `10.0.0.${at}`, port: 80 },
  twin: {
    ...{ agentId: `web-${at}`, machineId: '', host: `10.0.0.${at}`, port: 80, commit, deployment: null, labels },
    ...{ state: 'in', unwell: null },
  },
});
const three = [1, 2, 3].map((at) => instance(at));
const nameOf = (rule: PickRule, memory: PickMemory = NOTHING_PICKED, random = 0, from = three, now = 0) =>
  pick(from, rule, memory, now, () => random)?.name ?? null;

describe('picking', () => {
  it('random takes the less busy of two', () => {
    const draws = [0, 0.9];
    const busy = new Map([['10.0.0.1:80', 3]]);
    const picked = pick(three, { strategy: 'random' }, { ...NOTHING_PICKED, busy }, 0, () => draws.shift() ?? 0);
    expect(picked?.name).toBe('web-3');
  });

  it('round-robin takes one after the other', () => {
    const counts = [0, 1, 2, 3].map((count) => nameOf({ strategy: 'round-robin' }, { ...NOTHING_PICKED, count }));
    expect(counts).toEqual(['web-1', 'web-2', 'web-3', 'web-1']);
  });

  it('least-conn takes the idle one', () => {
    const busy = new Map([
      ['10.0.0.1:80', 2],
      ['10.0.0.3:80', 1],
    ]);
    expect(nameOf({ strategy: 'least-conn' }, { ...NOTHING_PICKED, busy })).toBe('web-2');
  });

  it('sticky keeps each key where it is when another instance goes', () => {
    const keys = Array.from({ length: 200 }, (_, at) => `k${at}`);
    const before = keys.map((key) => nameOf({ strategy: 'sticky', key }));
    const after = keys.map((key) => nameOf({ strategy: 'sticky', key }, NOTHING_PICKED, 0, three.slice(0, 2)));
    const moved = keys.filter((_, at) => before[at] !== after[at]);
    expect(moved.length).toBe(before.filter((name) => name === 'web-3').length);
    expect(new Set(before).size).toBe(3);
  });

  it('by commit and by label', () => {
    const from = [instance(1, 'aaa'), instance(2, 'bbb', { zone: 'b' })];
    expect(nameOf({ strategy: 'random', commit: 'bb' }, NOTHING_PICKED, 0, from)).toBe('web-2');
    expect(nameOf({ strategy: 'random', fits: ({ zone }) => zone === 'b' }, NOTHING_PICKED, 0, from)).toBe('web-2');
    expect(nameOf({ strategy: 'random', commit: 'ccc' }, NOTHING_PICKED, 0, from)).toBeNull();
    expect(nameOf({ strategy: 'random' }, NOTHING_PICKED, 0, [])).toBeNull();
  });

  it('two errors within 30 s put an instance aside for 30 s, unless nothing else is left', () => {
    const first = afterError([], 0);
    expect(first.asideUntil).toBe(0);
    expect(afterError(first.errors, 31_000).asideUntil).toBe(0);
    const { asideUntil } = afterError(first.errors, 29_000);
    expect(asideUntil).toBe(59_000);
    const aside = new Map([['10.0.0.1:80', asideUntil]]);
    const memory = { ...NOTHING_PICKED, aside };
    expect(nameOf({ strategy: 'round-robin' }, memory, 0, three, 58_000)).toBe('web-2');
    expect(nameOf({ strategy: 'round-robin' }, memory, 0, three, 59_000)).toBe('web-1');
    expect(nameOf({ strategy: 'random' }, memory, 0, three.slice(0, 1), 58_000)).toBe('web-1');
  });
});
