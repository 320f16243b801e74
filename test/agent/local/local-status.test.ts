import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { layoutOf } from '../../../agent/disk/layout.ts';
import { awaitsClearance, type LocalStatus, readLocalStatus } from '../../../agent/local/local-status.ts';
import { systemClock } from '../../../runtime/clock.ts';

const [A, NEW] = ['a'.repeat(40), 'b'.repeat(40)];
const failure = { code: 'X', reason: '', hint: '', next: 'stall' } as const;
const progress = { targetVersion: '5.1', commitId: NEW, relativePath: 'shop', attempts: 0, lastFailure: null };
const shop = { relativePath: 'shop', link: '/srv/shop', instead: null };
const made = { commitId: NEW, endedWell: false, leftAt: null, at: 1 };
/** Made ready and not shown, where nothing else is said. */
const ready: LocalStatus = {
  ...{ running: true, links: [{ ...shop, commitId: A }], accepted: null, releases: [made], override: null },
  ...{ suspension: null, gaveUp: null, reversal: null, refused: null, adoptions: [], undeletable: [], presence: null },
  progress: { ...progress, activation: 'none' },
};
const override = { against: '5.1', url: '', commitId: A, relativePath: 'shop', by: 'ann', reason: '', at: 1 };
const gaveUp = { targetVersion: '5.1', commitId: NEW, relativePath: 'shop', failure, output: '' };

describe('whether only leave to activate is missing', () => {
  it('where the release is made and, if it has to be, prepared', () => {
    expect(awaitsClearance(ready, false)).toBe(true);
    expect(awaitsClearance({ ...ready, links: [{ ...shop, commitId: null, instead: 'nothing' }] }, false)).toBe(true);
    expect(awaitsClearance(ready, true)).toBe(false);
    expect(awaitsClearance({ ...ready, releases: [{ ...made, prepared: 'key' }] }, true)).toBe(true);
    expect(awaitsClearance({ ...ready, override: { ...override, counts: false } }, false)).toBe(true);
  });

  it.each<[string, Partial<LocalStatus>]>([
    ['nothing is accepted', { progress: null }],
    ['nothing is made yet', { releases: [] }],
    ['it is shown', { links: [{ ...shop, commitId: NEW }] }],
    ['it is being activated', { progress: { ...progress, activation: 'wanted' } }],
    ['a try has failed', { progress: { ...progress, activation: 'none', lastFailure: failure } }],
    ['it was given up', { gaveUp }],
    ['a newer target is refused', { refused: { targetVersion: '6.1', failure } }],
    ['something else is in its place', { links: [{ ...shop, commitId: null, instead: 'a directory' }] }],
    ['a person keeps another one', { override: { ...override, counts: true } }],
    ['a person suspended it', { suspension: { by: 'ann', reason: '', at: 1 } }],
  ])('not where %s', (_, change) => {
    expect(awaitsClearance({ ...ready, ...change }, false)).toBe(false);
  });
});

it('names what the agent could not delete', async () => {
  const top = await mkdtemp(join(tmpdir(), 'gitfleet-status-'));
  onTestFinished(() => rm(top, { recursive: true }));
  const layout = layoutOf(join(top, 'root'), join(top, 'state'), '/app');
  const paths = [join(layout.app, '.undeletable-spare-1'), join(layout.releases, '.undeletable-abc-2')];
  for (const path of paths) await mkdir(path, { recursive: true });
  await mkdir(layout.appState, { recursive: true });
  expect((await readLocalStatus(layout, systemClock)).undeletable).toEqual(paths);
});
