import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Layout, layoutOf } from '../../agent/disk/layout.ts';
import { swapLink } from '../../agent/disk/releases.ts';
import { findLinks, repairJournal } from '../../agent/repair-journal.ts';
import { nextTryAfter } from '../../agent/retry.ts';
import { emptyJournal, type Journal } from '../../agent/state/journal.ts';
import { superfluous } from '../../agent/state/retention.ts';
import { classify } from '../../runtime/errors.ts';
import type { CommitId, RelativePath } from '../../schemas/values.ts';

const [A, B] = ['a'.repeat(40) as CommitId, 'b'.repeat(40) as CommitId];
const SHOP = 'shop' as RelativePath;
let top: string;
let layout: Layout;
beforeEach(async () => {
  top = await mkdtemp(join(tmpdir(), 'gitfleet-reconcile-'));
  layout = layoutOf(join(top, 'root'), join(top, 'state'), '/app/business');
  for (const commitId of [A, B]) await mkdir(join(layout.releases, commitId), { recursive: true });
});
afterEach(() => rm(top, { recursive: true, force: true }));

const release = { endedWell: true, leftAt: null, at: 1 };
const journal: Journal = {
  ...emptyJournal,
  links: { shop: B },
  releases: { [A]: { ...release, leftAt: 2 }, [B]: release },
};

describe('the disk is the truth', () => {
  it('a link whose entry could not be written is what it shows, and retention lets the other one go', async () => {
    await swapLink(layout, SHOP, A); // The journal still says B.
    const repaired = await repairJournal(layout, journal, 9);
    expect(repaired.links).toEqual({ shop: A });
    expect(repaired.releases[B]?.leftAt).toBe(9);
    expect(superfluous([A, B], repaired, { keepReleases: 1, keepFailedReleases: 0, graceMs: 0 }, 9)).toEqual([B]);
  });

  it('a link that somebody removed, or turned elsewhere, is none of ours any more', async () => {
    expect((await repairJournal(layout, journal, 9)).links).toEqual({});
    await symlink('/etc', join(layout.root, 'shop'));
    expect((await repairJournal(layout, journal, 9)).links).toEqual({});
  });

  it('releases that are gone are forgotten, strange ones get their grace, and nothing new is the same object', async () => {
    await swapLink(layout, SHOP, B);
    expect(await repairJournal(layout, journal, 9)).toBe(journal);
    await rm(join(layout.releases, A), { recursive: true });
    expect(Object.keys((await repairJournal(layout, journal, 9)).releases)).toEqual([B]);
    const known = await repairJournal(layout, { ...journal, releases: {} }, 9);
    expect(known.releases[B]).toEqual({ endedWell: false, leftAt: 9, at: 9 });
  });

  it('without a journal every link below the root is found, at any depth', async () => {
    await swapLink(layout, SHOP, A);
    await swapLink(layout, 'web/eu/shop' as RelativePath, B);
    await symlink('/etc', join(layout.root, 'foreign'));
    expect((await findLinks(layout)).sort()).toEqual(['shop', 'web/eu/shop']);
  });

  it('a directory where the new link is made is refused and not touched', async () => {
    await mkdir(join(layout.root, '.shop.gitfleet-new'), { recursive: true });
    await expect(swapLink(layout, SHOP, A)).rejects.toMatchObject({ code: 'OCCUPIED', next: 'stall' });
  });
});

describe('a failure that nobody foresaw', () => {
  it.each(['ESTALE', 'EAGAIN', 'ENOMEM', 'ENFILE', 'EBUSY', 'ENOENT', 'ENOTDIR'])('%s is tried again', (code) => {
    expect(classify(Object.assign(new Error('x'), { code })).next).toBe('retry');
  });

  it('as a bug is tried again too, but seldom', () => {
    const { at } = nextTryAfter(classify(new TypeError('ours')), 'keep', 1, 0, () => 0.5);
    expect(at).toBe(60_000);
  });
});
