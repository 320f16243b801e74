import { describe, expect, it } from 'vitest';
import { nextPlace } from '../../../../serve/page/model/arrow-keys.ts';
import { forText, spokenText, whyText } from '../../../../serve/page/model/states.ts';
import { labelNames, MAX_IN_GROUP, MAX_TILES, wallOf } from '../../../../serve/page/model/wall.ts';
import { AT, failedRow, fleetOf, rowOf } from '../fixture.ts';

const OFFLINE = rowOf('web-9', { standing: 'offline', onlineSince: null, reportedAt: AT - 600_000 });
const ROWS = [
  rowOf('web-10'),
  rowOf('web-2'),
  OFFLINE,
  failedRow('web-3'),
  rowOf('web-4', { standing: 'working', phase: 'awaiting' }),
];

describe('the wall', () => {
  it('has the failing and the stale servers first, and counts within a name', () => {
    const { groups } = wallOf(ROWS, null, '');
    expect(groups.map(({ title, tiles }) => [title, tiles.map(({ agentId }) => agentId)])).toEqual([
      ['failed', ['web-3']],
      ['offline', ['web-9']],
      ['working', ['web-4']],
      ['active', ['web-2', 'web-10']],
    ]);
  });

  it('groups by the values of a label, the group with the worst server first', () => {
    const rows = [
      rowOf('a', { labels: { zone: 'x' } }),
      failedRow('b', { labels: { zone: 'y' } }),
      rowOf('c', { labels: { zone: 'y' } }),
      rowOf('d', { labels: { __proto__: null, constructor: 'z' } as never }),
    ];
    const { groups } = wallOf(rows, 'zone', '');
    expect(groups.map(({ title, size }) => [title, size])).toEqual([
      ['zone y', 2],
      ['without zone', 1],
      ['zone x', 1],
    ]);
    expect(labelNames(rows)).toEqual(['constructor', 'zone']);
  });

  it.each([
    ['web-3', ['web-3']],
    ['failed', ['web-3']],
    ['activate_failed', ['web-3']],
    ['WEB turn', ['web-4']],
    ['no such thing', []],
  ])('finds %s', (filter, ids) => {
    expect(wallOf(ROWS, null, filter).groups.flatMap(({ tiles }) => tiles.map(({ agentId }) => agentId))).toEqual(ids);
  });

  it('has a tile for each of a thousand servers, and closed groups beyond that', () => {
    const all = wallOf(fleetOf(MAX_TILES), null, '');
    expect([all.isLarge, all.groups.reduce((sum, { tiles }) => sum + tiles.length, 0)]).toEqual([false, MAX_TILES]);
    const large = wallOf(fleetOf(10_000), null, '');
    expect(large.isLarge).toBe(true);
    expect(large.groups.reduce((sum, { size }) => sum + size, 0)).toBe(10_000);
    expect(large.groups.every(({ tiles }) => tiles.length <= MAX_IN_GROUP)).toBe(true);
  });
});

describe('a tile in words', () => {
  it.each([
    [failedRow('a'), 'ACTIVATE_FAILED: back on 55a1ad3c'],
    [OFFLINE, 'last report 10 min ago'],
    [{ ...OFFLINE, falsePresence: true }, 'a node that is not its own is in its place'],
    [rowOf('a', { standing: 'silent' }), 'online, has not answered yet'],
    [
      rowOf('a', { standing: 'suspended', suspended: { by: 'ben', reason: 'disk', at: 0 } }),
      'by ben on the server: disk',
    ],
    [rowOf('a', { standing: 'working', waitingFor: 'a turn at the origin' }), 'for a turn at the origin'],
    [rowOf('a', { drift: 1 }), '1 file changed on the server'],
    [rowOf('a'), ''],
  ])('says why %#', (row, words) => {
    expect(whyText(row, AT)).toContain(words);
  });

  it('says for how long, and nothing where that is not known', () => {
    expect([forText(rowOf('a'), AT), forText(OFFLINE, AT)]).toEqual(['4 min', '']);
  });

  it('is spoken with its name, state, reason and commit', () => {
    expect(spokenText(rowOf('web-1'), AT)).toBe('web-1: active, shows 3f2a9c1b3f');
    expect(spokenText(failedRow('a\u202eb'), AT)).toMatch(/^a\\u202eb: failed, ACTIVATE_FAILED: .*, shows 55a1ad3c55$/);
  });
});

describe('the arrow keys', () => {
  /** A group of two, then rows of three and of one. */
  const places = [
    ...[0, 100].map((left) => ({ left, top: 0 })),
    ...[0, 100, 200].map((left) => ({ left, top: 80 })),
    { left: 0, top: 120 },
  ];
  it.each([
    ['ArrowRight', 0, 1],
    ['ArrowRight', 5, 5],
    ['ArrowLeft', 2, 1],
    ['ArrowLeft', 0, 0],
    ['ArrowDown', 1, 3],
    ['ArrowDown', 4, 5],
    ['ArrowDown', 5, 5],
    ['ArrowUp', 4, 1],
    ['ArrowUp', 5, 2],
    ['ArrowUp', 1, 1],
    ['Home', 4, 0],
    ['End', 0, 5],
    ['Enter', 0, null],
  ])('%s leads from %i to %s', (key, from, to) => {
    expect(nextPlace(key, from, places)).toBe(to);
  });
});
