import { describe, expect, it } from 'vitest';
import {
  baseMeanwhile,
  type Clearance,
  changesClearance,
  clearanceOf,
  isUnproven,
  NOTHING_VIEWED,
  type PolicyAnswer,
  type RolloutView,
} from '../../../agent/coordination/clearance.ts';
import type { Base } from '../../../agent/door/base.ts';
import type { WantedTarget } from '../../../agent/state/wanted.ts';
import { policy } from '../../../schemas/policy.ts';
import { encodeRollout, parseRollout, ROLLOUT_STATES, type Rollout } from '../../../schemas/rollout.ts';
import type { TargetVersion } from '../../../schemas/values.ts';
import { allowedTarget } from '../../support/allowed-target.ts';

const T = '5.100' as TargetVersion;
const BEFORE = '4.100' as TargetVersion;
const [OLD, NEW, BASE] = ['a', 'b', 'c'].map((letter) => letter.repeat(40)) as [string, string, string];
const url = 'https://git.example.com/shop.git';
const proven = { deployment: 3, url, commitId: BASE, relativePath: 'shop' };
const read = parseRollout(
  Buffer.from(JSON.stringify({ deployment: 4, targetVersion: T, state: 'running', base: proven })),
);
const rollout = read as Rollout;
const base: Base = { deployment: 3, target: allowedTarget({ url, commitId: BASE, relativePath: 'shop' }) };
const view = (
  { base: given = base, ...change }: Partial<Omit<Rollout, 'base'>> & { base?: Base | null },
  permit: TargetVersion | null = null,
): RolloutView => ({
  known: true,
  rollout: { ...rollout, ...change },
  isMember: true,
  base: given,
  unknown: null,
  permit,
  policy: 'not known',
});

const NO_ROLLOUT: RolloutView = { ...NOTHING_VIEWED, known: true };

describe('leave to activate, where the rollout names the target', () => {
  const rows: [Rollout['state'], TargetVersion | null, Clearance['kind']][] = [
    ['running', null, 'await'],
    ['running', BEFORE, 'await'],
    ['running', T, 'go'],
    ['paused', null, 'await'],
    ['paused', T, 'go'],
    ['halted', T, 'await'],
    ['proven', null, 'go'],
    ['failed', T, 'never'],
    ['aborted', T, 'never'],
    ['rolled-back', T, 'never'],
  ];
  it.each(rows)('%s, permit %s: %s', (state, permit, kind) => {
    expect(clearanceOf(T, view({ state }, permit), 'not known').kind).toBe(kind);
  });

  it.each(ROLLOUT_STATES)('%s without permits: everybody goes', (state) => {
    expect(clearanceOf(T, view({ state, permits: false }), 'not known')).toEqual({ kind: 'go' });
  });

  it('is the instant of its wave where all swap together, and no permit', () => {
    const at = { at: 5, epoch: 1 };
    const together = { policy: policy().parse({ cutover: 'together' }) };
    const of = (change: Partial<Omit<Rollout, 'base'>>, isMember = true) =>
      clearanceOf(T, { ...view({ ...together, ...change }, T), isMember }, 'not known');
    expect(of({})).toMatchObject({ kind: 'await', waitingFor: expect.stringContaining('all of its wave to be ready') });
    expect(of({ activateAt: at })).toEqual({ kind: 'go', at });
    // What is named already is not taken from some by a pause.
    expect(of({ activateAt: at, state: 'paused' })).toEqual({ kind: 'go', at });
    expect(of({ activateAt: at }, false).kind).toBe('await');
    expect(of({ activateAt: at, state: 'halted' }).kind).toBe('await');
    expect(of({ activateAt: at, state: 'aborted' }).kind).toBe('never');
    expect(of({ state: 'proven' })).toEqual({ kind: 'go' });
  });

  it('says for what it waits, and the same whatever a person or a wave changes', () => {
    for (const state of ['running', 'paused', 'halted'] as const) {
      expect(clearanceOf(T, view({ state }), 'none')).toMatchObject({ waitingFor: 'its turn (a permit for d-4)' });
    }
    expect(clearanceOf(T, view({ state: 'aborted' }), 'none')).toMatchObject({
      waitingFor: 'another target: d-4 is aborted',
    });
  });
});

const draining = (targetVersion: TargetVersion): RolloutView => ({
  ...{ known: true, rollout: null, isMember: false, base: null, permit: T, policy: 'not known' },
  unknown: { targetVersion, state: 'draining' },
});

describe('leave to activate, where it does not', () => {
  const other = view({ targetVersion: BEFORE, permits: false, state: 'proven' }, T);
  const rows: [string, RolloutView, PolicyAnswer, Clearance['kind']][] = [
    ['no policy: at once', other, 'none', 'go'],
    ['no rollout yet, no policy: at once', NO_ROLLOUT, 'none', 'go'],
    [
      'a policy is in force: wait for the coordinator, whatever the old rollout and permit say',
      other,
      'in force',
      'await',
    ],
    ['nobody could say: wait', other, 'not known', 'await'],
    ['its rollout is in a state of a newer version: wait, even with a permit', draining(T), 'none', 'await'],
    ['that of an older target is: it says nothing about this one', draining(BEFORE), 'none', 'go'],
    ['ZooKeeper has not answered: wait', NOTHING_VIEWED, 'none', 'await'],
  ];
  it.each(rows)('%s', (_, given, policy, kind) => {
    expect(clearanceOf(T, given, policy).kind).toBe(kind);
  });

  it('names the state that it does not know', () => {
    expect(clearanceOf(T, draining(T), 'none')).toMatchObject({ waitingFor: expect.stringMatching(/newer.*draining/) });
  });
});

describe('what an agent without leave shows meanwhile', () => {
  const wanted: WantedTarget = {
    kind: 'target',
    targetVersion: T,
    target: allowedTarget({ url, commitId: NEW, relativePath: 'shop' }),
  };
  const pendingActivation = { shop: { commitId: BASE, previous: null } };
  const rows: [string, Base | null, Record<string, string>, object, boolean, string | null][] = [
    ['it serves something and was online: stays', base, { shop: OLD }, {}, false, null],
    ['it serves nothing here: the base', base, {}, {}, false, BASE],
    ['it serves only another place: the base', base, { other: OLD }, {}, false, BASE],
    ['it was away at publish: the base', base, { shop: OLD }, {}, true, BASE],
    ['it is at the base: stays, and makes the target ready', base, { shop: BASE }, {}, true, null],
    ['the base is shown but not activated: goes on with it', base, { shop: BASE }, pendingActivation, true, BASE],
    ['it shows the target already: stays', base, { shop: NEW }, {}, true, null],
    ['nothing was ever proven, or there is no rollout: stays', null, {}, {}, true, null],
  ];
  it.each(rows)('%s', (_, given, links, owes, late, expected) => {
    expect(baseMeanwhile(wanted, given, links, owes as Record<string, unknown>, late)?.target.commitId ?? null).toBe(
      expected,
    );
  });

  it('is about the same targetVersion, so that reports and orders are', () => {
    expect(baseMeanwhile(wanted, base, {}, {}, true)).toMatchObject({ targetVersion: T, meanwhile: 3 });
    expect(parseRollout(encodeRollout(rollout))?.base).toEqual(proven);
  });
});

describe('a release that is active here', () => {
  const wanted: WantedTarget = {
    kind: 'target',
    targetVersion: T,
    target: allowedTarget({ url, commitId: NEW, relativePath: 'shop' }),
  };
  const target = (change: object): WantedTarget => ({
    ...wanted,
    target: allowedTarget({ url, commitId: NEW, relativePath: 'shop', ...change }),
  });
  const override = { by: 'ann' } as NonNullable<WantedTarget['override']>;
  const rows: [string, WantedTarget, RolloutView, boolean][] = [
    ['its rollout goes on', wanted, view({}), true],
    ['its rollout goes on, with a permit', wanted, view({}, T), true],
    ['its rollout is paused', wanted, view({ state: 'paused' }), true],
    ['its rollout is halted', wanted, view({ state: 'halted' }), true],
    ['it is proven', wanted, view({ state: 'proven' }), false],
    ['its rollout has failed', wanted, view({ state: 'failed' }), false],
    ['its rollout was aborted', wanted, view({ state: 'aborted' }), false],
    ['its rollout was rolled back', wanted, view({ state: 'rolled-back' }), false],
    ['there was no policy', wanted, view({ permits: false }), false],
    ['the rollout is about another target', wanted, view({ targetVersion: BEFORE }), false],
    ['nobody said anything about a rollout', wanted, NOTHING_VIEWED, false],
    ['there is no rollout', wanted, NO_ROLLOUT, false],
    ['nothing was proven before', wanted, view({ base: null }), true],
    ['an earlier rollout has proven it, as on the way back', target({ commitId: BASE }), view({}), false],
    ['the same commit was proven at another place', target({ commitId: BASE, relativePath: 'web' }), view({}), true],
    ['it is the base, shown until there is leave', { ...wanted, meanwhile: 3 }, view({}), false],
    ['a person on this server chose it', { ...wanted, override }, view({}), false],
  ];
  it.each(rows)('%s', (_, given, told, expected) => {
    expect(isUnproven(given, told)).toBe(expected);
  });
});

describe('orders that come', () => {
  const target = allowedTarget({ url, commitId: NEW, relativePath: 'shop' });
  const wanted: WantedTarget = { kind: 'target', targetVersion: T, target };
  const own = { ...wanted, target: allowedTarget({ ...target, gitfleet: { policy: {} } }) };
  const atOnce = (change: Parameters<typeof view>[0]) => view({ permits: false, ...change });
  const free: RolloutView = { ...NO_ROLLOUT, policy: 'none' };
  const bound: RolloutView = { ...NO_ROLLOUT, policy: 'in force' };
  const newBase: Base = { deployment: 4, target };
  const rows: [string, WantedTarget, RolloutView, RolloutView, boolean][] = [
    [
      'the rollout begins for everyone at once, with the base as it was',
      wanted,
      atOnce({ targetVersion: BEFORE }),
      atOnce({}),
      true,
    ],
    [
      'the same, where there was no policy: the fleet is under way now',
      wanted,
      { ...atOnce({ targetVersion: BEFORE }), policy: 'none' },
      atOnce({}),
      true,
    ],
    ['it is proven, and the new base', wanted, atOnce({}), atOnce({ state: 'proven', base: newBase }), true],
    ['others are under way', wanted, view({}), view({ wave: 2, members: ['web-9'], late: ['web-8'] }), false],
    ['a permit', wanted, view({}), view({}, T), true],
    ['a permit for another target', wanted, view({}), view({}, BEFORE), false],
    [
      'it is halted while this one waits: the fleet is not under way now',
      wanted,
      view({}),
      view({ state: 'halted' }),
      true,
    ],
    ['it is halted after this one had its permit', wanted, view({}, T), view({ state: 'halted' }, T), true],
    ['it is aborted', wanted, view({}), view({ state: 'aborted' }), true],
    ['it is proven, with the same base', wanted, view({}, T), view({ state: 'proven' }, T), true],
    ['ZooKeeper answers for the first time', wanted, NOTHING_VIEWED, free, true],
    ['a policy comes', wanted, free, bound, true],
    ['a policy goes', wanted, bound, free, true],
    ['a policy goes, but the target has its own', own, bound, free, false],
  ];
  it.each(rows)('say more or not: %s', (_, given, before, now, expected) => {
    expect(changesClearance(given, before, now)).toBe(expected);
  });
});
