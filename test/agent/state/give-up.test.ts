import { describe, expect, it } from 'vitest';
import { beginTarget, givenUp } from '../../../agent/state/activation.ts';
import { emptyJournal, type Journal } from '../../../agent/state/journal.ts';
import { gaveUpOn } from '../../../agent/state/progress.ts';
import { chooseBack, superfluous } from '../../../agent/state/retention.ts';
import type { WantedTarget } from '../../../agent/state/wanted.ts';
import type { TargetVersion } from '../../../schemas/values.ts';
import { allowedTarget } from '../../support/allowed-target.ts';

const [A, B, C, NEW] = ['a', 'b', 'c', 'd'].map((letter) => letter.repeat(40)) as [string, string, string, string];
const shop = 'file:///srv/shop.git';
const release = (endedWell: boolean, leftAt: number | null = null, at = 0, path = 'shop', url = shop) => ({
  ...{ endedWell, leftAt, at },
  shownAt: { [path]: { url, endedWell, leftAt } },
});
const failure = { code: 'HEALTH_FAILED', reason: 'refused', hint: '', next: 'stall' } as const;
const wanted = (commitId: string, targetVersion = '5.100'): WantedTarget => ({
  kind: 'target',
  targetVersion: targetVersion as TargetVersion,
  target: allowedTarget({ url: shop, commitId, relativePath: 'shop' }),
});
const journal = (change: Partial<Journal>): Journal => ({ ...emptyJournal, ...change });

describe('the release to go back to', () => {
  const releases = { [A]: release(true, 10), [B]: release(true, 20), [C]: release(false, 30), [NEW]: release(false) };
  const pendingActivation = { shop: { commitId: NEW, previous: B } };
  const base = (commitId: string, relativePath = 'shop') => ({ commitId, relativePath });
  const rows: [string, Partial<Journal>, string | null][] = [
    ['the last proven one of the fleet', { releases, pendingActivation, base: base(A) }, A],
    ['what was shown before, where the fleet has proven none', { releases, pendingActivation }, B],
    ['that, too, where the proven one is not here', { releases, pendingActivation, base: base('e'.repeat(40)) }, B],
    [
      'that, too, where the proven one stands at another place',
      { releases, pendingActivation, base: base(A, 'other') },
      B,
    ],
    [
      'not the failed one, though the fleet has proven it',
      { releases: { ...releases, [NEW]: release(true) }, pendingActivation, base: base(NEW) },
      B,
    ],
    [
      'not one that never ended well here',
      { releases, pendingActivation: { shop: { commitId: NEW, previous: C } } },
      B,
    ],
    [
      'the one left last by this link, of the same repository, and nothing of another link or repository',
      {
        releases: {
          ...{ [A]: release(true, 10), [NEW]: release(false) },
          [B]: release(true, 20, 0, 'mine'),
          [C]: release(true, 30, 0, 'shop', 'file:///srv/mine.git'),
        },
      },
      A,
    ],
    [
      'none, where an earlier version did not note which link showed what',
      { releases: { [A]: { endedWell: true, leftAt: 10, at: 0 }, [NEW]: release(false) } },
      null,
    ],
    ['none, where none ended well', { releases: { [C]: release(false, 30), [NEW]: release(false) } }, null],
  ];
  it.each(rows)('%s', (_, change, expected) => {
    expect(chooseBack(journal(change), 'shop', NEW)).toBe(expected);
  });

  it('is never let go by retention', () => {
    const kept = { links: { shop: NEW }, releases: { ...releases, [B]: release(true, 20, 1) }, base: base(A) };
    const rule = { keepReleases: 1, keepFailedReleases: 0, graceMs: 0 };
    expect(superfluous([A, B, C], kept, rule, 1_000)).not.toContain(A);
    expect(superfluous([A, B, C], { ...kept, base: null }, rule, 1_000)).toContain(A);
  });
});

describe('giving up', () => {
  const shown = journal({ links: { shop: NEW }, releases: { [A]: release(true, 10), [NEW]: release(false) } });

  it('after the swap goes back, before it does not', () => {
    expect(givenUp(shown, wanted(NEW), 'health', failure, '').reversal).toMatchObject({ back: A, step: 'health' });
    const before = { ...shown, links: { shop: A } };
    expect(givenUp(before, wanted(NEW), 'prepare', failure, '').reversal).toMatchObject({
      back: null,
      step: 'prepare',
    });
  });

  it('holds for this very target: the same targetVersion, commit and place', () => {
    const gave = givenUp(shown, wanted(NEW), 'health', failure, 'words');
    expect(gaveUpOn(gave, wanted(NEW))).toMatchObject({ failure, output: 'words' });
    expect(gaveUpOn(gave, wanted(NEW, '6.100'))).toBeNull();
    expect(gaveUpOn(gave, wanted(A))).toBeNull();
    const begun = beginTarget(gave, wanted(A).target, wanted(A).targetVersion, null);
    expect(gaveUpOn(begun, wanted(NEW))).not.toBeNull();
  });
});

describe('a target that came while this agent was away', () => {
  const write = { mzxid: 5n, mtime: 100 };
  it('stays late over restarts, overrides and the base in between', () => {
    const { target, targetVersion } = wanted(NEW);
    const late = beginTarget(emptyJournal, wanted(A).target, targetVersion, write, true);
    expect(late.accepted?.late).toBe(true);
    expect(beginTarget(late, target, targetVersion, write, false).accepted?.late).toBe(true);
    expect(beginTarget(late, target, targetVersion, null).accepted?.late).toBe(true);
    expect(
      beginTarget(late, target, '6.100' as TargetVersion, { mzxid: 6n, mtime: 100 }).accepted?.late,
    ).toBeUndefined();
  });
});
