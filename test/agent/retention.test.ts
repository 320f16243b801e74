import { describe, expect, it } from 'vitest';
import type { Journal } from '../../agent/journal.ts';
import { superfluous } from '../../agent/retention.ts';

const HOUR = 3_600_000;
const NOW = 100 * HOUR;
const rule = { keep: 2, keepFailed: 1, graceMs: HOUR };

function journal(shown: string, releases: Record<string, [endedWell: boolean, at: number, leftAt: number | null]>) {
  const entries = Object.entries(releases).map(([id, [endedWell, at, leftAt]]) => [id, { endedWell, at, leftAt }]);
  return { links: { shop: shown }, releases: Object.fromEntries(entries) } as Pick<Journal, 'links' | 'releases'>;
}

describe('which releases may go', () => {
  it('keeps the newest that ended well and drops the oldest first', () => {
    const state = journal('d', { a: [true, 1, 5], b: [true, 2, 6], c: [true, 3, 7], d: [true, 4, null] });
    expect(superfluous(['a', 'b', 'c', 'd'], state, rule, NOW)).toEqual(['a', 'b']);
  });

  it('counts failed ones apart, so that they cannot push out what one returns to', () => {
    const state = journal('a', { a: [true, 1, null], b: [false, 2, 3], c: [false, 4, 5], d: [false, 6, 7] });
    expect(superfluous(['a', 'b', 'c', 'd'], state, rule, NOW)).toEqual(['b', 'c']);
  });

  it('never drops what a link shows, however old', () => {
    const state = journal('a', { a: [true, 1, null], b: [true, 2, 3], c: [true, 4, 5], d: [true, 6, 7] });
    expect(superfluous(['a', 'b', 'c', 'd'], state, rule, NOW)).toEqual(['b']);
  });

  it('never drops the newest that ended well', () => {
    const state = journal('b', { a: [true, 1, 2], b: [false, 3, null] });
    expect(superfluous(['a', 'b'], state, { ...rule, keep: 0, keepFailed: 0 }, NOW)).toEqual([]);
  });

  it('leaves a release readable for its grace', () => {
    const state = journal('c', { a: [true, 1, NOW - HOUR + 1], b: [true, 2, 5], c: [true, 3, null] });
    const one = { ...rule, keep: 1 };
    expect(superfluous(['a', 'b', 'c'], state, one, NOW)).toEqual(['b']);
    expect(superfluous(['a', 'b', 'c'], state, one, NOW + 1)).toEqual(['a', 'b']);
  });

  it('does not drop what it knows nothing about', () => {
    expect(superfluous(['x', 'y', 'z'], journal('a', {}), rule, NOW)).toEqual([]);
  });
});
