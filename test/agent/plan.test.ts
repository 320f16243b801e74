import { describe, expect, it } from 'vitest';
import type { Clearance } from '../../agent/coordination/clearance.ts';
import { type Action, NOTHING_OBSERVED, type Observed, type Past, plan } from '../../agent/plan.ts';
import type { Progress } from '../../agent/state/journal.ts';
import type { Wanted } from '../../agent/state/wanted.ts';
import type { Failure } from '../../runtime/errors.ts';
import type { CommitId, TargetVersion } from '../../schemas/values.ts';
import { allowedTarget } from '../support/allowed-target.ts';

const NEW = 'b'.repeat(40) as CommitId;
const OLD = 'a'.repeat(40) as CommitId;
const GO: Clearance = { kind: 'go' };
const wanted: Wanted = {
  kind: 'target',
  targetVersion: '5.100' as TargetVersion,
  target: allowedTarget({ url: 'file:///srv/shop.git', commitId: NEW, relativePath: 'shop' }),
};
const fresh: Progress = {
  targetVersion: '5.100',
  commitId: NEW,
  relativePath: 'shop',
  attempts: 0,
  lastFailure: null,
  activation: 'none',
};
const empty: Observed = { ...NOTHING_OBSERVED, place: { shown: OLD } };
const past = (progress: Progress | null, retryInMs: number | null = 0): Past => ({ progress, gaveUp: null, retryInMs });
const failure: Failure = { code: 'FETCH_FAILED', reason: 'refused', hint: '', next: 'retry' };

const DONE = { activation: 'done' } as const;

describe('the way from the origin to the link, nearest end first', () => {
  const rows: [string, Partial<Observed>, Partial<Progress>, string][] = [
    ['nothing is here: fetch', {}, {}, 'fetch'],
    ['the store has the commit: write', { stored: true }, {}, 'write'],
    ['the spare is proved to be it: keep', { spare: NEW }, {}, 'keep'],
    ['the spare is proved to be another: write', { spare: OLD, stored: true }, {}, 'write'],
    ['a release of it is kept: check it first', { kept: 'unchecked', stored: true }, {}, 'check'],
    ['a release of it is kept, the objects to check it are not: fetch', { kept: 'unchecked' }, {}, 'fetch'],
    ['the kept release was checked: swap', { kept: 'checked' }, {}, 'swap'],
    ['the origin has to be asked for it first: fetch', { kept: 'checked', unseen: true }, {}, 'fetch'],
    ['the link shows it already: the origin is not asked', { place: { shown: NEW }, unseen: true }, DONE, 'rest'],
    ['the link shows it after our swap: activate', { place: { shown: NEW } }, { activation: 'wanted' }, 'activate'],
    [
      'the link showed it before this target came: check it, whatever was said of it then',
      { place: { shown: NEW }, kept: 'unchecked', stored: true },
      {},
      'check',
    ],
    ['the link showed it and it was checked: settle', { place: { shown: NEW }, kept: 'checked' }, {}, 'settle'],
    ['the link shows it and all is done: rest', { place: { shown: NEW } }, { activation: 'done' }, 'rest'],
    ['done, but somebody turned the link back: swap again', { kept: 'checked' }, { activation: 'done' }, 'swap'],
    ['the store has a commit that is not vouched for: vouch', { stored: true, vouched: false }, {}, 'vouch'],
    ['a spare of such a commit is not kept before', { spare: NEW, vouched: false }, {}, 'fetch'],
    ['a kept release of such a commit is not shown before', { kept: 'checked', vouched: false }, {}, 'fetch'],
    [
      'nor where the link shows it at another target',
      { place: { shown: NEW }, kept: 'unchecked', stored: true, vouched: false },
      {},
      'vouch',
    ],
    [
      'what was swapped is activated all the same',
      { place: { shown: NEW }, vouched: false },
      { activation: 'wanted' },
      'activate',
    ],
  ];
  it.each(rows)('%s', (_, observed, progress, expected) => {
    expect(plan(wanted, { ...empty, ...observed }, past({ ...fresh, ...progress }), GO).do).toBe(expected);
  });
});

describe('what follows a step without another look', () => {
  /** What a step that went well leaves on the disk and in the journal. */
  const after: Partial<Record<Action, { observed?: Partial<Observed>; progress?: Partial<Progress> }>> = {
    fetch: { observed: { stored: true } },
    vouch: { observed: { vouched: true } },
    write: { observed: { spare: NEW } },
    keep: { observed: { kept: 'checked', spare: null } },
    check: { observed: { kept: 'checked' } },
    swap: { observed: { place: { shown: NEW } }, progress: { activation: 'wanted' } },
  };
  const starts: [string, Partial<Observed>, readonly Action[]][] = [
    ['nothing is here', {}, ['fetch', 'write', 'keep']],
    ['nothing is here, and nothing is known of the commit', { vouched: false }, ['fetch', 'vouch', 'write', 'keep']],
    ['the store has it', { stored: true }, ['write', 'keep']],
    ['a kept release has to be checked with objects that are gone', { kept: 'unchecked' }, ['fetch', 'check']],
    ['a kept release has to be checked', { kept: 'unchecked', stored: true }, ['check']],
    ['it is ready', { kept: 'checked' }, ['swap', 'activate']],
  ];
  it.each(starts)('is what a look would say, where %s', (_, found, expected) => {
    let observed: Observed = { ...empty, ...found };
    let progress: Progress = fresh;
    const first = plan(wanted, observed, past(progress), GO);
    expect(first.do === 'rest' ? [] : [first.do, ...(first.next ?? [])]).toEqual(expected);
    for (const step of expected) {
      expect(plan(wanted, observed, past(progress), GO).do).toBe(step);
      observed = { ...observed, ...after[step]?.observed };
      progress = { ...progress, ...after[step]?.progress };
    }
  });
});

describe('steps around the swap', () => {
  const AWAIT: Clearance = { kind: 'await', waitingFor: 'a permit' };
  const NEVER: Clearance = { kind: 'never', waitingFor: 'another target' };
  const ready: Observed = { ...empty, kept: 'checked' };
  const shows: Observed = { ...empty, place: { shown: NEW } };
  const rows: [string, Observed, Partial<Progress>, Clearance, string][] = [
    ['a release that is not prepared: prepare', { ...ready, prepared: false }, {}, GO, 'prepare'],
    ['it is prepared without leave, too', { ...ready, prepared: false }, {}, AWAIT, 'prepare'],
    ['prepared and without leave: rest', ready, {}, AWAIT, 'awaiting'],
    ['fetched without leave', empty, {}, AWAIT, 'fetch'],
    ['no leave will ever come: nothing is fetched', empty, {}, NEVER, 'waiting'],
    ['what is shown needs no leave', { ...ready, place: { shown: NEW } }, {}, AWAIT, 'settle'],
    ['nor is it prepared under its readers', { ...ready, place: { shown: NEW }, prepared: false }, {}, GO, 'settle'],
    ['activated: look at its health', shows, { activation: 'activated' }, GO, 'health'],
    ['also where leave was taken back since', shows, { activation: 'activated' }, NEVER, 'health'],
    ['and what was swapped is activated', shows, { activation: 'wanted' }, NEVER, 'activate'],
  ];
  it.each(rows)('%s', (_, observed, progress, clearance, expected) => {
    const step = plan(wanted, observed, past({ ...fresh, ...progress }), clearance);
    expect(step.do === 'rest' ? step.because.kind : step.do).toBe(expected);
  });
});

describe('reasons to rest', () => {
  it('waits where there is no target, and removes nothing', () => {
    expect(plan({ kind: 'nothing', why: 'a first target' }, empty, past(null), GO)).toEqual({
      do: 'rest',
      because: { kind: 'waiting', waitingFor: 'a first target' },
    });
  });

  it('keeps what runs under a refused target', () => {
    const refused: Wanted = { kind: 'refused', targetVersion: '6.1' as TargetVersion, failure };
    expect(plan(refused, empty, past(fresh), GO)).toMatchObject({ do: 'rest', because: { kind: 'failed', failure } });
  });

  it('says why there cannot be a link, also when the release is ready', () => {
    const observed: Observed = { ...empty, place: { failure }, kept: 'checked' };
    expect(plan(wanted, observed, past(fresh), GO)).toMatchObject({ do: 'rest', because: { kind: 'failed', failure } });
  });

  it('rests where the release failed here before, with the last words of its step', () => {
    const gaveUp = { targetVersion: '5.100', commitId: NEW, relativePath: 'shop', failure, output: 'no module' };
    const because = { kind: 'failed', failure, retryInMs: null };
    expect(plan(wanted, empty, { ...past(fresh), gaveUp }, GO)).toEqual({
      do: 'rest',
      because: { ...because, output: 'no module' },
    });
    expect(plan(wanted, empty, { ...past(fresh), gaveUp: { ...gaveUp, output: '' } }, GO)).toEqual({
      do: 'rest',
      because,
    });
  });

  it('sits out the backoff of a failed try, then goes on where the disk is', () => {
    const failed = { ...fresh, lastFailure: failure, attempts: 1 };
    expect(plan(wanted, empty, past(failed, 800), GO)).toEqual({
      do: 'rest',
      because: { kind: 'failed', failure, retryInMs: 800 },
    });
    expect(plan(wanted, { ...empty, stored: true }, past(failed), GO).do).toBe('write');
  });

  it('does not run a failed activate command again by itself', () => {
    const failed: Progress = {
      ...fresh,
      activation: 'failed',
      lastFailure: { ...failure, next: 'stall' },
      attempts: 1,
    };
    expect(plan(wanted, { ...empty, place: { shown: NEW } }, past(failed, null), GO)).toMatchObject({
      do: 'rest',
      because: { kind: 'failed', retryInMs: null },
    });
  });
});
