import { describe, expect, it } from 'vitest';
import { parseSince } from '../../cli/deploy/since.ts';

const NOW = Date.UTC(2026, 10, 30, 12);

describe('--since', () => {
  it.each([
    ['2h', false, NOW - 2 * 3_600_000],
    ['7d', true, NOW - 7 * 86_400_000],
    ['2026-11-29', true, Date.UTC(2026, 10, 29)],
    ['2026-11-29', false, new Date(2026, 10, 29).getTime()],
    ['2026-11-29 14:05', true, Date.UTC(2026, 10, 29, 14, 5)],
    ['2026-11-29T14:05Z', false, Date.UTC(2026, 10, 29, 14, 5)],
    ['2026-11-29 14:05 UTC', false, Date.UTC(2026, 10, 29, 14, 5)],
    ['2024-02-29', true, Date.UTC(2024, 1, 29)],
  ])('%s (utc: %s) is a time', (text, utc, expected) => expect(parseSince(text, NOW, utc)).toBe(expected));

  it.each([
    ['2'],
    [''],
    ['yesterday'],
    ['2026-02-31'],
    ['2026-13-01'],
    ['2026-11-29 24:00'],
    ['2026-11-29 12:60'],
    ['d-12'],
  ])('%j is none', (text) => expect(() => parseSince(text, NOW, true)).toThrowError(/no duration and no date/));
});
