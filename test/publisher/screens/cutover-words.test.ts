import { expect, it } from 'vitest';
import { spreadWords } from '../../../publisher/screens/cutover-words.ts';
import type { SwapSpread } from '../../../schemas/records/cutover.ts';

const spread: SwapSpread = { spreadMs: 84, errorMs: 4, waited: 19, delayed: [], unmeasured: [] };
const delayed = [
  { agentId: 'web-3', delayMs: 42_130 },
  { agentId: 'web-9', delayMs: 640 },
];

it.each<[string, Partial<SwapSpread>]>([
  ['19 agents swapped within 84 ms, clocks to 4 ms', {}],
  ['19 agents swapped within 84 ms, clocks to 4 ms; later: web-3 by 42.1 s, web-9 by 0.6 s', { delayed }],
  ['later: web-3 by 42.1 s, web-9 by 0.6 s', { spreadMs: null, waited: 0, delayed }],
  ['19 agents swapped within 84 ms, clocks to 4 ms; by another clock: web-7', { unmeasured: ['web-7'] }],
])('%s', (words, more) => {
  expect(spreadWords({ ...spread, ...more })).toBe(words);
});
