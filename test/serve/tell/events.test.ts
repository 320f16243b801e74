import { describe, expect, it } from 'vitest';
import { eventsOf } from '../../../serve/tell/events.ts';
import { followSilence, NO_SILENCE, type Silence, silentEvents } from '../../../serve/tell/silence.ts';
import type { ToldView } from '../../../serve/tell/view.ts';
import { APP, agentOf, NOW, outcomeOf, QUIET, recordOf, rolloutOf } from '../../support/serve/told-view.ts';

const MINUTE = 60_000;
const told = (view: Partial<ToldView>, now = NOW): string[] =>
  eventsOf(APP, { ...QUIET, ...view }, now).map(({ key }) => key.replace(`${APP} `, ''));

describe('what is told of an app', () => {
  const early = NOW - 10 * MINUTE;
  const late = NOW - 5 * MINUTE;
  const act = (number: number, kind: string, at = late) => ({ number, kind, by: 'ada', reason: 'no', at, what: '' });
  const ROWS: readonly [string, Partial<ToldView>, string[]][] = [
    ['nothing happened: nothing', {}, []],
    ['a publish: that it began', { history: [recordOf(12, early)] }, ['d-12 begun']],
    ...(['proven', 'failed', 'rolled-back', 'aborted', 'superseded', 'timed-out'] as const).map(
      (state): [string, Partial<ToldView>, string[]] => [
        `an outcome: that it is ${state}`,
        { history: [recordOf(12, early, outcomeOf(state, late))] },
        ['d-12 begun', `d-12 ${state}`],
      ],
    ),
    [
      'a publisher that waited no longer, while the rollout is open: no ending',
      { history: [recordOf(12, early, outcomeOf('timed-out', late))], rollout: rolloutOf(12, 'paused') },
      ['d-12 begun'],
    ],
    [
      'an outcome of a newer version: no ending',
      { history: [recordOf(12, early, outcomeOf('other', late))] },
      ['d-12 begun'],
    ],
    [
      'an ending that was written before its opening, by clocks that differ: the opening first',
      { history: [recordOf(12, late, outcomeOf('proven', early))] },
      ['d-12 begun', 'd-12 proven'],
    ],
    [
      'two deployments: in the order of what happened',
      { history: [recordOf(13, late), recordOf(12, early, outcomeOf('superseded', late + 1))] },
      ['d-12 begun', 'd-13 begun', 'd-12 superseded'],
    ],
    [
      'a halt: once for each time that it halts',
      { history: [recordOf(12, early)], rollout: rolloutOf(12, 'halted', { steered: [{ at: 77 }, { at: 5 }] }) },
      ['d-12 begun', 'd-12 halted 77'],
    ],
    [
      'a rollout that runs: no halt',
      { history: [recordOf(12, early)], rollout: rolloutOf(12, 'running') },
      ['d-12 begun'],
    ],
    [
      'a hold set and lifted',
      { acts: [act(4, 'unhold'), act(3, 'hold', early), act(2, 'policy-set')] },
      ['a-3 hold-set', 'a-4 hold-lifted'],
    ],
    [
      'what is older than an hour: nothing',
      { history: [recordOf(12, NOW - 61 * MINUTE)], acts: [act(3, 'hold', NOW - 61 * MINUTE)] },
      [],
    ],
    [
      'an ending within the hour of a deployment that is older: the ending alone',
      { history: [recordOf(12, NOW - 61 * MINUTE, outcomeOf('failed', late))] },
      ['d-12 failed'],
    ],
  ];
  it.each(ROWS)('%s', (_, view, expected) => expect(told(view)).toEqual(expected));

  it('names all agents that failed, where an outcome names twenty', () => {
    const failures = Array.from({ length: 500 }, (_, at) => ({ agentId: `web-${at}`, code: 'HEALTH_FAILED' }));
    const outcome = outcomeOf('failed', NOW, { missing: failures.slice(0, 20), reached: 500 });
    const view = { ...QUIET, history: [recordOf(12, NOW, outcome)], rollout: rolloutOf(12, 'failed', { failures }) };
    expect(eventsOf(APP, view, NOW).at(-1)?.agents).toHaveLength(500);
  });
});

describe('an agent that falls silent', () => {
  const AFTER = 10 * MINUTE;
  const view = (agents: Record<string, ReturnType<typeof agentOf>>): ToldView => ({
    ...QUIET,
    agents: new Map(Object.entries(agents)),
  });
  const follow = (steps: readonly (readonly [ToldView, number])[]): Silence =>
    steps.reduce((silence, [state, at]) => followSilence(silence, state, at), NO_SILENCE);
  const keys = (silence: Silence, now: number) =>
    silentEvents(APP, silence, AFTER, now).map(({ key }) => key.replace(`${APP} agent `, ''));

  const online = view({ 'web-7': agentOf(NOW - 5_000) });
  const gone = view({ 'web-7': agentOf(null, NOW - MINUTE) });

  it('is told after the time, once for each presence that ended', () => {
    const silence = follow([
      [online, NOW],
      [gone, NOW + 1_000],
      [gone, NOW + 2_000],
    ]);
    expect(keys(silence, NOW + 1_000 + AFTER - 1)).toEqual([]);
    expect(keys(silence, NOW + 1_000 + AFTER)).toEqual([`web-7 silent ${NOW - 5_000}`]);
  });

  it('is not told if it came back in time', () => {
    const silence = follow([
      [online, NOW],
      [gone, NOW + 1_000],
      [online, NOW + 2_000],
    ]);
    expect(keys(silence, NOW + 2 * AFTER)).toEqual([]);
  });

  it('is not told if it was gone for long when this server started, or left for good', () => {
    expect(keys(follow([[view({ 'web-7': agentOf(null, NOW - 2 * 3_600_000) }), NOW]]), NOW + AFTER)).toEqual([]);
    expect(
      keys(
        follow([
          [gone, NOW],
          [view({}), NOW + 1],
        ]),
        NOW + AFTER,
      ),
    ).toEqual([]);
  });

  it('that this server never saw online is told under a key that any told silence of it covers', () => {
    expect(keys(follow([[gone, NOW]]), NOW + AFTER)).toEqual(['web-7 silent unseen']);
  });
});
