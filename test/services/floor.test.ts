import { describe, expect, it } from 'vitest';
import { judgeLeave } from '../../services/floor.ts';

const name = (at: number, drawn = 'aaaaaaaa') => `web-${at}-${drawn}`;
const names = (...all: number[]) => all.map((at) => name(at));

describe('whether an instance may leave', () => {
  it.each([
    { title: 'the only instance goes at once', listed: [1], twins: [1], min: '50%', may: 'alone' },
    { title: 'of two, one may go', listed: [1, 2], twins: [1, 2], min: '50%', may: 'go' },
    { title: 'the last of two that are known stays', listed: [1], twins: [1, 2], min: '50%', may: 'wait' },
    { title: 'of four, the first may go', listed: [1, 2, 3, 4], twins: [1, 2, 3, 4], min: '50%', may: 'go' },
    { title: 'of four, the third stays', listed: [1, 2], twins: [1, 2, 3, 4], min: '50%', may: 'wait' },
    { title: 'a share is rounded up', listed: [1, 2], twins: [1, 2, 3], min: '50%', may: 'wait' },
    { title: 'one at least stays, whatever the share', listed: [1], twins: [1, 2], min: '0%', may: 'wait' },
    { title: 'a number counts as it is', listed: [1, 2, 3], twins: [1, 2, 3], min: 3, may: 'wait' },
    { title: 'a number that is met', listed: [1, 2, 3, 4], twins: [1, 2, 3, 4], min: 3, may: 'go' },
    { title: 'foreign instances count, without a twin', listed: [1, 2, 3], twins: [1], min: '50%', may: 'go' },
  ])('$title', ({ listed, twins, min, may }) => {
    const seen = { listed: names(...listed), twins: names(...twins), rule: { minAvailable: min } };
    const judged = judgeLeave(name(1), seen);
    expect(judged.kind === 'go' ? (judged.alone ? 'alone' : 'go') : 'wait').toBe(may);
  });

  it('what an earlier life of the same agent left behind is no other instance', () => {
    const old = name(1, 'bbbbbbbb');
    const rule = { minAvailable: '50%' };
    expect(judgeLeave(name(1), { listed: [name(1), old], twins: [name(1), old], rule })).toEqual({
      kind: 'go',
      alone: true,
    });
  });
});
