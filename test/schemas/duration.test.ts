import fc from 'fast-check';
import { expect, it } from 'vitest';
import { formatDuration, MAX_DURATION_MS, parseDuration } from '../../schemas/duration.ts';
import { SEED } from '../support/seeded.ts';

it.each([
  ['0s', 0],
  ['250ms', 250],
  ['10s', 10_000],
  ['5m', 300_000],
  ['1h', 3_600_000],
  ['24d', MAX_DURATION_MS],
])('%s is %i ms', (text, ms) => expect(parseDuration(text)).toBe(ms));

it.each(['', '10', 's', '-1s', '1.5s', '1m30s', ' 1s', '1s\n', '1S', '25d', '99999999999s', '٣s'])(
  '%j is none',
  (text) => expect(parseDuration(text)).toBeNull(),
);

it('reads back what it writes', () => {
  const same = (ms: number) => parseDuration(formatDuration(ms)) === ms;
  fc.assert(fc.property(fc.nat({ max: MAX_DURATION_MS }), same), { seed: SEED });
  expect(formatDuration(90_000)).toBe('90s');
  expect(formatDuration(3_600_000)).toBe('1h');
});
