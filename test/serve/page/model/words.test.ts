import { describe, expect, it } from 'vitest';
import type { Snapshot } from '../../../../serve/api/shapes.ts';
import { newsBetween } from '../../../../serve/page/model/news.ts';
import { nextSteps, serverSteps, typedCommand } from '../../../../serve/page/model/next-steps.ts';
import { pictureOf, withDelta } from '../../../../serve/page/model/picture.ts';
import { waitsText, waveRows } from '../../../../serve/page/model/rollout-rows.ts';
import { headlineOf, tabTitle } from '../../../../serve/page/model/summary.ts';
import { ageText, asLines, asText, countText } from '../../../../serve/page/model/texts.ts';
import { AT, columnsOf, deltaOf, failedRow, fleetOf, recordOf, rolloutOf, rowOf, snapshotOf } from '../fixture.ts';

const ALL_WELL = [rowOf('web-1'), rowOf('web-2')];
const picture = (rows = ALL_WELL, more: Partial<Snapshot> = {}) => pictureOf(snapshotOf(rows, more));
const commands = (more: Partial<Snapshot>, rows = ALL_WELL) =>
  nextSteps(picture(rows, more)).map(({ command }) => command);

describe('texts', () => {
  it('have ages of one whole unit', () => {
    expect([-5, 900, 119_999, 120_000, 7_200_000, 172_800_000].map(ageText)).toEqual([
      '0 s',
      '0 s',
      '119 s',
      '2 min',
      '2 h',
      '2 d',
    ]);
    expect(countText(1, 'server')).toBe('1 server');
    expect(countText(1_234_567, 'server')).toBe('1,234,567 servers');
  });

  it('write out what hides itself or reverses the text', () => {
    expect(asText('a\u202eb\u0000')).toBe('a\\u202eb\\u0000');
    expect(asLines('a\tb\n\u001b[31mred')).toBe('a\tb\n\\u001b[31mred');
  });
});

describe('the picture', () => {
  it('takes changes, new servers and gone ones, and leaves the picture before as it was', () => {
    const before = picture();
    const after = withDelta(
      before,
      deltaOf(1, { changed: { reached: 1 }, agents: columnsOf([failedRow('web-2'), rowOf('web-3')]), gone: ['web-1'] }),
    );
    expect([...after.agents.keys()]).toEqual(['web-2', 'web-3']);
    expect([after.reached, after.agents.get('web-2')?.standing]).toEqual([1, 'failed']);
    expect([before.reached, [...before.agents.keys()]]).toEqual([2, ['web-1', 'web-2']]);
  });

  it('keeps the agents as they are where none changed, so that no tile is drawn again', () => {
    const before = picture();
    expect(withDelta(before, deltaOf(1, { changed: { reached: 1 } })).agents).toBe(before.agents);
  });

  it('keeps the newest two hundred deployments, each once', () => {
    let after = picture();
    for (let n = 13; n < 500; n++) after = withDelta(after, deltaOf(n, { history: [recordOf(n), recordOf(n - 1)] }));
    expect([after.history.length, after.history[0]?.number, after.history.at(-1)?.number]).toEqual([200, 499, 300]);
  });
});

describe('the heading', () => {
  it.each([
    ['All 2 online servers show 3f2a9c1b3f', 'good', ALL_WELL, {}],
    ['1 of 2 online servers shows 3f2a9c1b3f', 'bad', [rowOf('web-1'), failedRow('web-2')], {}],
    ['Nothing is published yet', 'idle', ALL_WELL, { target: null, deployment: null }],
    [
      'The target is refused: BAD',
      'bad',
      ALL_WELL,
      { target: null, refused: { code: 'BAD', reason: '', hint: '', next: 'stall' } },
    ],
    ['No server that is online is expected to show 3f2a9c1b3f', 'idle', [], {}],
  ] as const)('%s', (words, tone, rows, more) => {
    expect(headlineOf(picture([...rows], more as Partial<Snapshot>))).toEqual({ words, tone });
  });

  it('has the trouble in the title of the tab', () => {
    expect(tabTitle(picture(), false)).toBe('/app/shop · gitfleet');
    expect(tabTitle(picture([failedRow('web-1')]), false)).toBe('1 failed · /app/shop · gitfleet');
    expect(tabTitle(picture(), true)).toBe('stale · /app/shop · gitfleet');
  });
});

describe('what to type', () => {
  it.each([
    [{}, []],
    [{ target: null }, ['gitfleet publish']],
    [{ rollout: rolloutOf() }, ['gitfleet pause']],
    [{ rollout: rolloutOf({ state: 'paused' }) }, ['gitfleet resume', 'gitfleet abort']],
    [
      { rollout: rolloutOf({ state: 'halted' }) },
      ['gitfleet rollback', 'gitfleet resume', 'gitfleet retry', 'gitfleet abort'],
    ],
    [{ rollout: rolloutOf({ state: 'aborted' }) }, ['gitfleet rollback', 'gitfleet retry']],
    [{ rollout: rolloutOf({ state: 'failed' }) }, ['gitfleet rollback', 'gitfleet retry']],
    [{ rollout: rolloutOf({ state: 'proven' }) }, []],
  ] as const)('%#', (more, expected) => {
    expect(commands(more as Partial<Snapshot>)).toEqual(expected);
  });

  it('after a manual canary is promote', () => {
    const { policy } = rolloutOf();
    const waits = rolloutOf({ wave: 0, soakAt: AT, policy: policy && { ...policy, promote: 'manual' } });
    expect(commands({ rollout: waits })).toEqual(['gitfleet promote', 'gitfleet pause']);
  });

  it('never contains a name that a shell would read something into', () => {
    for (const id of ['a; rm -rf /', '$(id)', 'a b', "'", '-x', '', 'a\nb', '\u202e']) {
      expect(typedCommand('forget', id)).toBeNull();
      expect(serverSteps(id, 'offline').map(({ command }) => command)).toEqual(['gitfleet agent status']);
    }
    expect(typedCommand('forget', 'web-1.example')).toBe('gitfleet forget web-1.example');
  });
});

describe('the rollout', () => {
  const rows = [
    rowOf('web-1', { canary: true }),
    rowOf('web-2'),
    rowOf('web-3', { part: 'now', standing: 'working', phase: 'fetching' }),
    rowOf('web-4', { part: 'now' }),
    rowOf('web-5', { part: 'later' }),
  ];
  const rollout = rolloutOf({ wave: 2, canary: ['web-1'], members: ['web-3', 'web-4'], ahead: [1] });

  it('has rows for the waves that are done, the current one, and those to come', () => {
    expect(waveRows(picture(rows, { rollout })).map(({ title, part, size }) => [title, part, size])).toEqual([
      ['canary', 'done', 1],
      ['wave 1', 'done', 1],
      ['wave 2', 'now', 2],
      ['wave 3', 'later', 1],
    ]);
  });

  it.each([
    [rollout, 'wave 2: waiting for web-3 (fetching)'],
    [{ ...rollout, members: ['web-4'] }, 'wave 2: waiting for the next look of the coordinator'],
    [{ ...rollout, soakAt: AT - 20_000 }, 'wave 2 is done, watched for 20 s of 1m'],
    [{ ...rollout, reason: '3 of 5 agents are offline' }, 'waiting for: 3 of 5 agents are offline'],
    [{ ...rollout, state: 'paused', paused: { by: 'ben', reason: 'lunch', at: AT } }, 'paused by ben: lunch'],
    [{ ...rollout, state: 'rolled-back', reason: 'the canary failed' }, 'rolled back: the canary failed'],
    [{ ...rollout, state: 'unknown' }, 'in a state that only a newer version of gitfleet knows'],
  ] as const)('says what it waits for %#', (given, words) => {
    expect(waitsText(picture(rows, { rollout: given as typeof rollout }), AT)).toBe(words);
  });
});

describe('news for those who hear the page', () => {
  const before = picture();
  const after = (more: Parameters<typeof deltaOf>[1]) => newsBetween(before, withDelta(before, deltaOf(1, more)));

  it.each([
    [{}, []],
    [{ agents: columnsOf([failedRow('web-2')]) }, ['web-2 failed: ACTIVATE_FAILED']],
    [{ agents: columnsOf([rowOf('web-2', { standing: 'working' })]) }, []],
    [{ agents: columnsOf([rowOf('web-2', { standing: 'offline' })]) }, ['web-2: offline']],
    [
      { changed: { hold: { by: 'ben', reason: 'inventory', at: AT, end: null } } },
      ['publishing is on hold by ben: inventory'],
    ],
    [
      { changed: { targetVersion: 'x', deployment: recordOf(13) } },
      ['published: 3f2a9c1b3f by d-13, ann, Invoices in the language of the customer'],
    ],
    [{ changed: { rollout: rolloutOf({ state: 'proven' }) } }, ['d-12 is proven: 2 of 2 servers']],
    [
      { changed: { rollout: rolloutOf({ state: 'halted', reason: 'too many failed' }) } },
      ['d-12 is halted: too many failed'],
    ],
  ])('%#', (more, news) => {
    expect(after(more)).toEqual(news);
  });

  it('are few, however many servers change', () => {
    const rows = fleetOf(1_000);
    const small = pictureOf(snapshotOf(rows));
    const worse = withDelta(small, deltaOf(1, { agents: columnsOf(rows.map(({ agentId }) => failedRow(agentId))) }));
    expect(newsBetween(small, worse)).toHaveLength(1);
    expect(newsBetween(small, worse)[0]).toMatch(/^\d+ servers failed: \S+, \S+, \S+ and \d+ more$/);
  });
});
