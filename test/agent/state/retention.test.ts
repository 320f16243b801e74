import { describe, expect, it } from 'vitest';
import { actionFailed, beginTarget, givenUp, wellActive } from '../../../agent/state/activation.ts';
import { emptyJournal, type Journal } from '../../../agent/state/journal.ts';
import { noteRelease, noteShown } from '../../../agent/state/link-history.ts';
import { chooseKept, nameable, superfluous } from '../../../agent/state/retention.ts';
import type { TargetVersion } from '../../../schemas/values.ts';
import { allowedTarget } from '../../support/allowed-target.ts';

const HOUR = 3_600_000;
const NOW = 100 * HOUR;
const rule = { keepReleases: 2, keepFailedReleases: 1, graceMs: HOUR };

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

  it('keeps none that a newer target overtook, and so no failed one goes for it', () => {
    const [well, failed, ...overtaken] = ['a', 'b', 'c', 'd', 'e'].map((letter) => letter.repeat(40));
    const made = (before: Journal, commitId = '') => noteRelease(before, commitId, 1);
    const failure = { code: 'PREPARE_FAILED', reason: '', hint: '', next: 'stall' } as const;
    const target = allowedTarget({ url: 'file:///srv/shop.git', commitId: failed ?? '', relativePath: 'shop' });
    const wanted = { kind: 'target', target, targetVersion: '2.1' as TargetVersion } as const;
    const shown = noteShown(emptyJournal, 'shop', well ?? '', 1);
    const gaveUp = givenUp(made(shown, failed), wanted, 'prepare', failure, '');
    const all = [well, failed, ...overtaken] as string[];
    expect(superfluous(all, overtaken.reduce(made, gaveUp), rule, NOW)).toEqual(overtaken);
    expect(superfluous(all, overtaken.reduce(made, gaveUp), { ...rule, keepFailedReleases: 0 }, NOW)).toEqual(
      all.slice(1),
    );
  });

  it('never drops what a link shows, however old', () => {
    const state = journal('a', { a: [true, 1, null], b: [true, 2, 3], c: [true, 4, 5], d: [true, 6, 7] });
    expect(superfluous(['a', 'b', 'c', 'd'], state, rule, NOW)).toEqual(['b']);
  });

  it('never drops the newest that ended well', () => {
    const state = journal('b', { a: [true, 1, 2], b: [false, 3, null] });
    expect(superfluous(['a', 'b'], state, { ...rule, keepReleases: 0, keepFailedReleases: 0 }, NOW)).toEqual([]);
  });

  it('leaves a release readable for its grace', () => {
    const state = journal('c', { a: [true, 1, NOW - HOUR + 1], b: [true, 2, 5], c: [true, 3, null] });
    const one = { ...rule, keepReleases: 1 };
    expect(superfluous(['a', 'b', 'c'], state, one, NOW)).toEqual(['b']);
    expect(superfluous(['a', 'b', 'c'], state, one, NOW + 1)).toEqual(['a', 'b']);
  });

  it('does not drop what it knows nothing about', () => {
    expect(superfluous(['x', 'y', 'z'], journal('a', {}), rule, NOW)).toEqual([]);
  });
});

describe('the release that a link goes back to', () => {
  /** What an agent remembers after these targets, in this order; `name!` fails its health checks. */
  function journalAfter(...targets: [relativePath: string, repository: string, commitId: string][]): Journal {
    return targets.reduce((before, [relativePath, repository, name], index) => {
      const commitId = name.replace('!', '').repeat(40);
      const target = allowedTarget({ url: `https://git.example.com/${repository}.git`, commitId, relativePath });
      const begun = beginTarget(before, target, `${index}.1` as TargetVersion, null);
      const shown = noteShown(begun, relativePath, commitId, index + 1);
      const failure = { code: 'HEALTH_FAILED', reason: '', hint: '', next: 'stall' } as const;
      return name.endsWith('!') ? actionFailed(shown, failure, 'health') : wellActive(shown, target);
    }, emptyJournal);
  }
  const back = (journal: Journal, path = 'shop') =>
    chooseKept(journal, { path, commitId: journal.links[path] ?? '' })?.[0] ?? null;
  const named = (journal: Journal) =>
    nameable(journal, { path: 'shop', commitId: journal.links['shop'] ?? '' }).map(([letter]) => letter);

  it('is one that this very link has shown', () => {
    const journal = journalAfter(
      ['shop', 'shop', 'a'],
      ['mine', 'mine', 'd'],
      ['mine', 'mine', 'e'],
      ['shop', 'shop', 'b'],
    );
    expect(back(journal)).toBe('a');
    expect(back(journal, 'mine')).toBe('d');
    expect(named(journal)).toEqual(['a']);
  });

  it('is of the same repository; of another one only where a person names it', () => {
    const journal = journalAfter(['shop', 'shop', 'a'], ['shop', 'mine', 'd'], ['shop', 'shop', 'b']);
    expect(back(journal)).toBe('a');
    expect(named(journal)).toEqual(['a', 'd']);
    expect(back(journalAfter(['shop', 'mine', 'd'], ['shop', 'shop', 'a']))).toBeNull();
  });

  it('ended well at this link, whatever it did at another', () => {
    const journal = journalAfter(
      ['shop', 'shop', 'a'],
      ['shop', 'shop', 'c!'],
      ['mine', 'shop', 'c'],
      ['shop', 'shop', 'b'],
    );
    expect(back(journal)).toBe('a');
    expect(named(journal)).toEqual(['a', 'c']);
  });

  it('is the one that this link left last, though another one shows it still', () => {
    const journal = journalAfter(
      ['shop', 'shop', 'a'],
      ['shop', 'shop', 'b'],
      ['mine', 'shop', 'b'],
      ['shop', 'shop', 'c'],
    );
    expect(back(journal)).toBe('b');
    const later = journalAfter(
      ['shop', 'shop', 'a'],
      ['shop', 'shop', 'b'],
      ['shop', 'shop', 'c'],
      ['mine', 'shop', 'a'],
    );
    expect(back(later)).toBe('b');
  });

  it('is none of those whose links an earlier version did not note: a person has to name it', () => {
    const now = journalAfter(['shop', 'shop', 'b']);
    const journal = { ...now, releases: { ...now.releases, a: { endedWell: true, at: 1, leftAt: 2 } } };
    expect(back(journal)).toBeNull();
    expect(named(journal)).toEqual(['a']);
  });
});
