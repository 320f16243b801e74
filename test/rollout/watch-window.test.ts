import { describe, expect, it } from 'vitest';
import { createWatchWindow } from '../../rollout/watch-window.ts';

/** Looks as [time of the ensemble, own clock], and for how long the leader has watched after the last one. */
const rows: [string, readonly (readonly [number, number])[], number][] = [
  ['begins with the first look', [[5_000_000, 100]], 0],
  [
    'goes on with looks',
    [
      [0, 0],
      [30_000, 30_000],
      [60_000, 60_000],
    ],
    60_000,
  ],
  [
    'begins anew where the time jumped forward',
    [
      [0, 0],
      [30_000, 30_000],
      [3_631_000, 31_000],
    ],
    0,
  ],
  [
    'begins anew where the time jumped back',
    [
      [9_000_000, 0],
      [9_030_000, 30_000],
      [31_000, 31_000],
      [41_000, 41_000],
    ],
    10_000,
  ],
  [
    'begins anew where nobody looked for longer than two slow looks',
    [
      [0, 0],
      [900_000, 900_000],
    ],
    0,
  ],
  [
    'lets the clock be slewed',
    [
      [0, 0],
      [31_000, 30_000],
    ],
    30_000,
  ],
];

describe('what a leader has watched itself', () => {
  it.each(rows)('%s', (_, looks, watched) => {
    const vigil = createWatchWindow();
    expect(looks.map(([now, monotonic]) => vigil.look(now, monotonic)).at(-1)).toBe(watched);
  });
});
