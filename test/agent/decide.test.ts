import { describe, expect, it } from 'vitest';
import { NOTHING_VIEWED, type RolloutView } from '../../agent/coordination/clearance.ts';
import { type Circumstances, decide, type Pursuit } from '../../agent/decide.ts';
import { emptyJournal, type Journal } from '../../agent/state/journal.ts';
import type { Override } from '../../agent/state/override.ts';
import { nothingHeard, type TargetHeard } from '../../agent/state/wanted.ts';
import type { Failure } from '../../runtime/errors.ts';
import { parseRollout } from '../../schemas/rollout.ts';
import type { TargetVersion } from '../../schemas/values.ts';
import { allowedTarget } from '../support/allowed-target.ts';

const T = '5.100' as TargetVersion;
const NEWER = '9.900' as TargetVersion;
const [NEW, OLD, KEPT, BASE] = ['d', 'a', 'b', 'c'].map((letter) => letter.repeat(40)) as [
  string,
  string,
  string,
  string,
];
const url = 'https://git.example.com/team/shop.git';
const target = (commitId: string, relativePath = 'shop') => allowedTarget({ url, commitId, relativePath });
const wantedAt = (targetVersion: TargetVersion): TargetHeard => ({
  wanted: { kind: 'target', targetVersion, target: target(NEW) },
  write: { mzxid: BigInt(`0x${targetVersion.split('.')[0]}`), mtime: 100 },
});
const failure: Failure = { code: 'NOT_ALLOWED', reason: 'another url', hint: '', next: 'stall' };
const refusedAt = (targetVersion: TargetVersion): TargetHeard => ({
  wanted: { kind: 'refused', targetVersion, failure },
  write: { mzxid: 6n, mtime: 100 },
});

/** No rollout and no policy: what is wanted is cleared. */
const open: RolloutView = { ...NOTHING_VIEWED, known: true, policy: 'none' };
const base = { deployment: 3, target: target(BASE) };
const rollout = (state: string): RolloutView => {
  const record = { deployment: 4, targetVersion: T, state, permits: true, base: null };
  return { ...open, rollout: parseRollout(Buffer.from(JSON.stringify(record))), base };
};
const running = rollout('running');

const serves = (commitId: string, change: Partial<Journal> = {}): Journal => ({
  ...emptyJournal,
  accepted: { targetVersion: T, mzxid: '5', mtime: 100 },
  links: { shop: commitId },
  ...change,
});
const begun = (activation: 'none' | 'wanted' | 'done', commitId = NEW) => ({
  progress: {
    targetVersion: T,
    commitId,
    relativePath: 'shop',
    deployment: 4,
    attempts: 0,
    lastFailure: null,
    activation,
  },
});
const override: Override = {
  against: T,
  url: '',
  commitId: KEPT,
  relativePath: 'shop',
  by: 'ann',
  reason: 'the cart is empty',
  at: 1,
};
const suspension = { by: 'ann', reason: 'a new disk', at: 1 };
const JOINED_BEFORE = 1n;
const JOINED_AFTER = 8n;

const quiet: Circumstances = {
  heard: wantedAt(T),
  blocked: null,
  override: null,
  suspension: null,
  view: open,
  journal: serves(OLD),
  joinedAt: JOINED_BEFORE,
};

/** Why, and which commit; or for what it waits. */
function said({ why, wanted, clearance, suspended }: Pursuit): string {
  const what =
    wanted.kind === 'target'
      ? wanted.target.commitId[0]
      : wanted.kind === 'nothing'
        ? wanted.why
        : `${wanted.failure.code}${wanted.override ? ` beside ${wanted.override.commitId[0]}` : ''}`;
  const waits = clearance.kind === 'go' ? '' : `, ${clearance.kind}`;
  return `${why}: ${what}${waits}${suspended ? ', suspended' : ''}`;
}

describe('what an agent pursues', () => {
  const rows: [string, Partial<Circumstances>, string][] = [
    ['the target of the fleet', {}, 'target: d'],
    ['the reason, where it refuses that', { heard: refusedAt(T) }, 'refused: NOT_ALLOWED'],
    ['nothing, where there is no target', { heard: nothingHeard('a first target') }, 'nothing: a first target'],

    ['nothing, while another process holds its name', { blocked: 'the name web-1' }, 'blocked: the name web-1'],
    [
      'not even what is unfinished, while another process holds its name',
      { blocked: 'the name web-1', journal: serves(NEW, begun('wanted')) },
      'blocked: the name web-1',
    ],
    [
      'what is unfinished, where no target is known yet',
      { heard: nothingHeard('ZooKeeper to answer'), journal: serves(NEW, begun('wanted')) },
      'unfinished: d',
    ],
    [
      'nothing, where no target is known and nothing is unfinished',
      { heard: nothingHeard('ZooKeeper to answer'), journal: serves(NEW, begun('done')) },
      'nothing: ZooKeeper to answer',
    ],
    [
      'the newest target and not what is unfinished, once it is known',
      { heard: wantedAt(NEWER), journal: serves(OLD, begun('wanted', OLD)) },
      'target: d',
    ],

    ['what a person on this server chose, before the target', { override }, 'override: b'],
    [
      'what a person on this server chose, without ZooKeeper',
      { override, heard: nothingHeard('ZooKeeper to answer') },
      'override: b',
    ],
    [
      'what a person on this server chose, also while another process holds its name',
      { override, blocked: 'the name web-1' },
      'override: b',
    ],
    ['a newer target: the override has ended', { override, heard: wantedAt(NEWER) }, 'target: d'],
    [
      'the reason of a refused newer target, beside the override that is shown',
      { override, heard: refusedAt(NEWER), journal: serves(KEPT) },
      'refused: NOT_ALLOWED beside b',
    ],
    [
      'the override under a refused newer target, until it is shown',
      { override, heard: refusedAt(NEWER) },
      'override: b',
    ],
    [
      'the target, where the override names what no target may',
      { override: { ...override, commitId: 'main' } },
      'target: d',
    ],

    ['a target without a permit: it waits, and what is served stays', { view: running }, 'target: d, await'],
    ['a target with its permit', { view: { ...running, permit: T } }, 'target: d'],
    ['a target whose rollout is over without it', { view: rollout('aborted') }, 'target: d, never'],
    ['a target before ZooKeeper has said anything of its rollout', { view: NOTHING_VIEWED }, 'target: d, await'],
    ['an override without a permit', { view: running, override }, 'override: b'],

    [
      'the base meanwhile, where it serves nothing there',
      { view: running, journal: serves(OLD, { links: {} }) },
      'base: c',
    ],
    [
      'the base meanwhile, where it was offline at publish',
      { view: running, journal: serves(OLD, { accepted: null }), joinedAt: JOINED_AFTER },
      'base: c',
    ],
    [
      'the base meanwhile, where it has no presence yet',
      { view: running, journal: serves(OLD, { accepted: null }), joinedAt: undefined },
      'base: c',
    ],
    [
      'the waiting target again, once the base is shown',
      { view: running, journal: serves(BASE, { accepted: null }), joinedAt: JOINED_AFTER },
      'target: d, await',
    ],
    [
      'the base, shown and not yet activated',
      {
        view: running,
        journal: serves(BASE, { accepted: null, pendingActivation: { shop: { commitId: BASE, previous: OLD } } }),
        joinedAt: JOINED_AFTER,
      },
      'base: c',
    ],
    [
      'the waiting target, where the fleet has proven nothing',
      { view: { ...running, base: null }, journal: serves(OLD, { links: {} }) },
      'target: d, await',
    ],
    [
      'the target itself and not the base, with its permit',
      { view: { ...running, permit: T }, journal: serves(OLD, { links: {} }) },
      'target: d',
    ],

    ['nothing new, while a person suspends it', { suspension }, 'target: d, suspended'],
    [
      'the activation that follows a swap, also while suspended',
      { suspension, journal: serves(NEW, begun('wanted')) },
      'target: d',
    ],
    [
      'nothing more, while suspended, once the activation is done',
      { suspension, journal: serves(NEW, begun('done')) },
      'target: d, suspended',
    ],
    [
      'nothing that is begun and not swapped, while suspended',
      { suspension, journal: serves(OLD, begun('none')) },
      'target: d, suspended',
    ],
    ['the override of a person, also while suspended', { suspension, override }, 'override: b'],
    [
      'nothing more, while suspended, once the override is done',
      { suspension, override, journal: serves(KEPT, begun('done', KEPT)) },
      'override: b, suspended',
    ],
  ];
  it.each(rows)('%s', (_, change, expected) => {
    expect(said(decide({ ...quiet, ...change }))).toBe(expected);
  });
});

describe('whether the target was published while this agent was offline', () => {
  const late = (change: Partial<Circumstances>) => decide({ ...quiet, ...change }).late;
  const first = serves(OLD, { accepted: null });
  const accepted = (isLate: boolean) =>
    serves(OLD, { accepted: { targetVersion: T, mzxid: '5', mtime: 100, late: isLate } });
  const rows: [string, Partial<Circumstances>, boolean][] = [
    ['no: it was online before', { journal: first, joinedAt: JOINED_BEFORE }, false],
    ['yes: its presence is younger', { journal: first, joinedAt: JOINED_AFTER }, true],
    ['yes: it has no presence', { journal: first, joinedAt: undefined }, true],
    ['judged once: it stays late after it came back', { journal: accepted(true), joinedAt: JOINED_BEFORE }, true],
    ['judged once: a new session makes nobody late', { journal: accepted(false), joinedAt: JOINED_AFTER }, false],
    ['no: nothing was published', { journal: first, joinedAt: undefined, heard: nothingHeard('a target') }, false],
  ];
  it.each(rows)('%s', (_, change, expected) => {
    expect(late(change)).toBe(expected);
  });
});

describe('what is accepted of the fleet by beginning', () => {
  it('is the write of its target, and nothing under an override', () => {
    expect(decide(quiet).accepts).toEqual({ mzxid: 5n, mtime: 100 });
    expect(decide({ ...quiet, override }).accepts).toBeNull();
    expect(decide({ ...quiet, view: running, journal: serves(OLD, { links: {} }) }).accepts).toEqual({
      mzxid: 5n,
      mtime: 100,
    });
  });
});
