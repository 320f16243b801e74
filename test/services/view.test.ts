import { describe, expect, it } from 'vitest';
import { type Instance, withoutDoubles } from '../../services/instance.ts';
import {
  afterLooks,
  isSame,
  listOf,
  lostSomebody,
  NO_VIEW,
  nextView,
  onlyGained,
  type View,
} from '../../services/view.ts';

const WINDOW = 15_000;
const instance = (at: number, more: Partial<Instance> = {}): Instance => ({
  ...{ name: `web-${at}`, host: `10.0.0.${at}`, port: 80, twin: null },
  ...more,
});
const all = (count: number) => Array.from({ length: count }, (_, at) => instance(at + 1));
const found = (instances: readonly Instance[], twins: readonly string[] = [], mark = 1n) => ({
  ...{ instances, mark, twins: new Set(twins) },
});
const shown = (view: View) => [listOf(view).state, listOf(view).instances.length];
const begun = nextView(NO_VIEW, found(all(10)), 0, WINDOW);

describe('what a consumer believes', () => {
  it('who left in order, all of them too', () => {
    const names = all(10).map(({ name }) => name);
    expect(shown(nextView(begun, found([], names), 1, WINDOW))).toEqual(['empty', 0]);
    expect(shown(nextView(begun, found(all(4), names), 1, WINDOW))).toEqual(['live', 4]);
  });

  it('one expired session, and up to 30 %', () => {
    expect(shown(nextView(begun, found(all(9)), 1, WINDOW))).toEqual(['live', 9]);
    expect(shown(nextView(begun, found(all(7)), 1, WINDOW))).toEqual(['live', 7]);
    expect(shown(nextView(nextView(NO_VIEW, found(all(1)), 0, WINDOW), found([]), 1, WINDOW))).toEqual(['empty', 0]);
  });

  it('one instance that comes and goes under its name, as a foreign program registers anew', () => {
    const one = nextView(NO_VIEW, found([instance(1)]), 0, WINDOW);
    const back = nextView(nextView(one, found([]), 1, WINDOW), found([instance(1, { port: 81 })]), 2, WINDOW);
    expect(shown(nextView(back, found([]), 3, WINDOW))).toEqual(['empty', 0]);
  });

  it('not more than 30 % that are gone without a trace: the list is frozen', () => {
    expect(shown(nextView(begun, found(all(6)), 1, WINDOW))).toEqual(['frozen', 10]);
    expect(shown(nextView(begun, found([]), 1, WINDOW))).toEqual(['frozen', 10]);
  });

  it('neither where they go one after the other within one session timeout', () => {
    let view = begun;
    for (const left of [9, 8, 7]) view = nextView(view, found(all(left)), 10 - left, WINDOW);
    expect(shown(view)).toEqual(['live', 7]);
    expect(shown(nextView(view, found(all(6)), 5_000, WINDOW))).toEqual(['frozen', 10]);
    expect(shown(nextView(view, found(all(6)), 60_000, WINDOW))).toEqual(['live', 6]);
  });

  it('nor that all is gone because ZooKeeper has lost the service', () => {
    expect(shown(nextView(begun, null, 1, WINDOW))).toEqual(['frozen', 10]);
    expect(shown(nextView(NO_VIEW, null, 1, WINDOW))).toEqual(['missing', 0]);
  });

  it('a frozen one that comes back under another name is live again, and what answers no look goes', () => {
    const frozen = nextView(begun, found(all(5)), 1, WINDOW);
    const back = nextView(frozen, found([...all(5), instance(6, { name: 'other' })]), 2, WINDOW);
    expect(shown(back)).toEqual(['frozen', 10]);
    expect(back.kept.map(({ instance: { name } }) => name)).toEqual(['web-7', 'web-8', 'web-9', 'web-10']);
    const looked = afterLooks(back, new Set(['web-7', 'web-8', 'web-9', 'web-10']), 3);
    expect(shown(looked)).toEqual(['live', 6]);
  });

  it('nothing for longer than ten minutes', () => {
    const frozen = nextView(begun, found([]), 0, WINDOW);
    expect(shown(afterLooks(frozen, new Set(), 600_000))).toEqual(['frozen', 10]);
    expect(shown(afterLooks(frozen, new Set(), 600_001))).toEqual(['empty', 0]);
  });

  it('a mass of sessions that is replaced at the same addresses is no loss', () => {
    const again = all(10).map((each) => ({ ...each, name: `${each.name}-again` }));
    expect(shown(nextView(begun, found(again), 1, WINDOW))).toEqual(['live', 10]);
    expect(lostSomebody(listOf(begun), listOf(nextView(begun, found(again), 1, WINDOW)))).toBe(false);
  });

  it('doubles of one address once, and rather the one with a twin', () => {
    const twin = {
      ...{ agentId: 'a', machineId: '', host: '10.0.0.1', port: 80, commit: 'c', deployment: null },
      ...{ labels: {}, state: 'in' as const, unwell: null },
    };
    const doubles = [instance(1), instance(1, { name: 'again', twin })];
    expect(withoutDoubles(doubles).map(({ name }) => name)).toEqual(['again']);
  });
});

it('a list that only gained is told from one that stayed the same, and from one that lost', () => {
  const of = (...instances: Instance[]) => listOf(nextView(NO_VIEW, found(instances), 0, WINDOW));
  const two = of(instance(1), instance(2));
  expect(onlyGained(two, of(instance(1), instance(2), instance(3)))).toBe(true);
  for (const after of [two, of(instance(1)), of(instance(1), instance(3)), of()])
    expect(onlyGained(two, after)).toBe(false);
  expect(isSame(two, of(instance(1), instance(2)))).toBe(true);
  const renamed = of(instance(1, { name: 'new' }), instance(2));
  for (const after of [of(instance(1)), renamed, of(instance(1), instance(2), instance(3))])
    expect(isSame(two, after)).toBe(false);
});
