import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  actionFailed,
  activated,
  beginTarget,
  givenUp,
  intendActivation,
  intendReturn,
  noteDrained,
  returned,
  reverted,
  wellActive,
} from '../../../agent/state/activation.ts';
import { emptyJournal, type Journal } from '../../../agent/state/journal.ts';
import { noteShown } from '../../../agent/state/link-history.ts';
import { isDone, isHalfway } from '../../../agent/state/progress.ts';
import type { Failure } from '../../../runtime/errors.ts';
import type { TargetVersion } from '../../../schemas/values.ts';
import { allowedTarget } from '../../support/allowed-target.ts';

const [NEW, OLD] = ['b'.repeat(40), 'a'.repeat(40)] as [string, string];
const target = (commitId: string) => allowedTarget({ url: 'file:///srv/shop.git', commitId, relativePath: 'shop' });
const begun = (journal: Journal, commitId: string, version = '5.100') =>
  beginTarget(journal, target(commitId), version as TargetVersion, null);
const failure: Failure = { code: 'HEALTH_FAILED', reason: 'answers 500', hint: '', next: 'stall' };

/** The steps of a deployment, each as the agent takes it. */
const swap = (journal: Journal, commitId: string) =>
  noteShown(intendActivation(journal, target(commitId)), 'shop', commitId, 1);
const serves = (commitId: string) =>
  wellActive(activated(swap(begun(emptyJournal, commitId), commitId)), target(commitId));
const served = begun(serves(OLD), NEW, '6.100');
const swapped = swap(served, NEW);
const healthChecked = activated(swapped);
const gave = (journal: Journal, step: string) => {
  const wanted = { kind: 'target', targetVersion: '6.100' as TargetVersion, target: target(NEW) } as const;
  return givenUp(actionFailed(journal, failure, step), wanted, step, failure, '');
};

describe('the activation of a target', () => {
  const rows: [string, Journal, string, boolean][] = [
    ['none: it has only begun', served, 'none', false],
    ['wanted: the link is about to be swapped', intendActivation(served, target(NEW)), 'wanted', true],
    ['wanted: the link was swapped', swapped, 'wanted', true],
    ['activated: the activate command ended well', healthChecked, 'activated', true],
    ['done: the health checks ended well', wellActive(healthChecked, target(NEW)), 'done', false],
    ['done: there are no health checks', wellActive(swapped, target(NEW)), 'done', false],
    ['done: it was shown before this target came', wellActive(begun(serves(NEW), NEW), target(NEW)), 'done', false],
    ['wanted again: somebody turned the link back', swap(serves(NEW), NEW), 'wanted', true],
    ['failed: the activate command failed', actionFailed(swapped, failure, 'activate'), 'failed', true],
    ['failed: a health check failed', actionFailed(healthChecked, failure, 'health'), 'failed', true],
    ['failed: a health check of what was done failed', actionFailed(serves(NEW), failure, 'health'), 'failed', false],
    ['none: a fetch failed', actionFailed(served, failure, 'fetch'), 'none', false],
    ['none: pre-activate failed', actionFailed(served, failure, 'swap'), 'none', false],
    ['wanted: a newer target of the same commit finds it pending', begun(swapped, NEW, '7.100'), 'wanted', true],
    ['none: a newer target of another commit does not', begun(swapped, OLD, '7.100'), 'none', true],
    ['none: one of the same commit, once it was activated', begun(serves(NEW), NEW, '7.100'), 'none', false],
    [
      'wanted: a newer target after a failed activation',
      begun(gave(swapped, 'activate'), NEW, '7.100'),
      'wanted',
      true,
    ],
  ];
  it.each(rows)('%s', (_, journal, activation, pending) => {
    expect(journal.progress?.activation).toBe(activation);
    expect('shop' in journal.pendingActivation).toBe(pending);
  });

  it('is half way from the swap to the end of health, and done only where the link shows it', () => {
    expect([served, swapped, healthChecked].map(isHalfway)).toEqual([false, true, true]);
    expect(isHalfway(intendActivation(served, target(NEW)))).toBe(false);
    const done = wellActive(healthChecked, target(NEW));
    expect([isHalfway(done), isDone(done)]).toEqual([false, true]);
    expect(isDone(noteShown(done, 'shop', OLD, 2))).toBe(false);
  });

  it('counts each failed try and forgets the last failure once it is well', () => {
    const twice = actionFailed(actionFailed(served, failure, 'fetch'), failure, 'write');
    expect(twice.progress).toMatchObject({ attempts: 2, lastFailure: failure });
    expect(wellActive(swap(twice, NEW), target(NEW)).progress).toMatchObject({ attempts: 2, lastFailure: null });
  });
});

describe('a release that is given up', () => {
  it('is reverted: its link goes back, and the earlier release is activated before that is over', () => {
    const failed = gave(healthChecked, 'health');
    expect(failed.reversal).toMatchObject({ commitId: NEW, back: OLD, step: 'health', code: 'HEALTH_FAILED' });
    const reversal = failed.reversal as NonNullable<Journal['reversal']>;
    const back = noteShown(intendReturn(failed, reversal, OLD), 'shop', OLD, 2);
    expect(back.pendingActivation).toEqual({ shop: { commitId: OLD, previous: NEW } });
    const over = reverted(returned(back, reversal), reversal, []);
    expect(over).toMatchObject({ reversal: null, pendingActivation: {}, links: { shop: OLD } });
    expect(over.gaveUp?.failure.reason).toBe(`back on ${OLD.slice(0, 12)}: answers 500`);
  });

  it('says what the server shows, and what failed on the way', () => {
    const alone = { ...healthChecked, releases: { [NEW]: healthChecked.releases[NEW] } } as Journal;
    const words = (journal: Journal, step: string) => {
      const failed = gave(journal, step);
      return reverted(failed, failed.reversal as NonNullable<Journal['reversal']>, ['on-failure failed too']).gaveUp
        ?.failure.reason;
    };
    expect(words(alone, 'health')).toBe(
      'still shown, nothing proven to go back to: answers 500; on-failure failed too',
    );
    expect(words(served, 'prepare')).toBe('not shown: answers 500; on-failure failed too');
  });
});

it('is set by the transitions alone', () => {
  const root = join(import.meta.dirname, '..', '..', '..');
  const files = ['agent', 'cli'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => join(folder, name)),
  );
  const sets = /^(?!\s*(?:\*|\/\/)|.*\breadonly\b).*\b(?:activation|pendingActivation|gaveUp|reversal): /m;
  const found = files.filter((file) => sets.test(readFileSync(join(root, file), 'utf8')));
  expect(found.sort()).toEqual(['agent/state/activation.ts', 'agent/state/journal.ts']);
});

it('the drains of a target are remembered until the next target, or until its next drain', () => {
  const drain = { service: 'shop/web', count: 1, consumers: ['lb-1'] };
  const noted = noteDrained(served, [drain]);
  expect(noted.progress?.unacknowledged).toEqual([drain]);
  expect(wellActive(noted, target(NEW)).progress?.unacknowledged).toEqual([drain]);
  expect(noteDrained(noted, []).progress?.unacknowledged).toEqual([]);
  expect(begun(noted, OLD, '7.100').progress?.unacknowledged).toBeUndefined();
  expect(noteDrained(served, [])).toBe(served);
});
