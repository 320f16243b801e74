import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Layout, layoutOf, releaseOf } from '../../agent/disk/layout.ts';
import { createRoom } from '../../agent/room.ts';
import { actionFailed, beginTarget, wellActive } from '../../agent/state/activation.ts';
import { emptyJournal, type Journal } from '../../agent/state/journal.ts';
import { noteShown } from '../../agent/state/link-history.ts';
import { MAX_WAITING } from '../../agent/state/retention.ts';
import { systemClock } from '../../runtime/clock.ts';
import type { CommitId, TargetVersion } from '../../schemas/values.ts';
import { allowedTarget } from '../support/allowed-target.ts';
import { silentLog } from '../support/log.ts';

const HOUR = 3_600_000;
const commitOf = (nth: number) => nth.toString(16).padStart(40, '0') as CommitId;
const target = (nth: number) =>
  allowedTarget({ url: 'file:///srv/shop.git', commitId: commitOf(nth), relativePath: 'shop' });

const never = new AbortController().signal;

let root: string;
let layout: Layout;
let journal: Journal;
let now: number;
let pins: Set<CommitId>;
let tidied: number;
/** Releases whose removal fails. */
let undeletable: Set<string>;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'gitfleet-room-'));
  layout = layoutOf(join(root, 'root'), join(root, 'state'), '/app');
  await mkdir(layout.releases, { recursive: true });
  [journal, now, pins, tidied, undeletable] = [emptyJournal, 100 * HOUR, new Set(), 0, new Set()];
});
afterEach(() => rm(root, { recursive: true }));

const roomOf = (keepReleases = 2) =>
  createRoom({
    layout,
    log: silentLog,
    failpoint: () => {},
    clock: { ...systemClock, now: () => now },
    retention: () => ({ keepReleases, keepFailedReleases: 1, graceMs: HOUR }),
    journal: () => journal,
    async remember(change) {
      journal = change(journal);
    },
    store: {
      async removeWorkTree(directory) {
        if (undeletable.has(directory)) throw Object.assign(new Error('not permitted'), { code: 'EACCES' });
        await rm(directory, { recursive: true });
      },
      unpin: async (commitId) => void pins.delete(commitId),
      pinned: async () => [...pins],
      async tidy() {
        tidied += 1;
      },
    },
  });

/** As a deployment leaves disk and journal. */
async function deploy(nth: number): Promise<void> {
  await mkdir(releaseOf(layout, commitOf(nth)));
  pins.add(commitOf(nth));
  journal = beginTarget(journal, target(nth), `${nth}.1` as TargetVersion, null);
  journal = wellActive(noteShown(journal, 'shop', commitOf(nth), now), target(nth));
}

/** As one that fails its health checks, and stays. */
async function fails(nth: number): Promise<void> {
  await mkdir(releaseOf(layout, commitOf(nth)));
  journal = beginTarget(journal, target(nth), `${nth}.1` as TargetVersion, null);
  const failure = { code: 'HEALTH_FAILED', reason: '', hint: '', next: 'stall' } as const;
  journal = actionFailed(noteShown(journal, 'shop', commitOf(nth), now), failure, 'health');
}

const kept = async () =>
  (await readdir(layout.releases)).map((name) => Number.parseInt(name, 16)).sort((a, b) => a - b);

describe('releases that wait for their grace', () => {
  it('are bounded, however fast deployments follow, and the link can always go back', async () => {
    const room = roomOf();
    let most = 0;
    for (let nth = 1; nth <= 500; nth += 1) {
      await room.beforeWrite(never);
      now += 10;
      await deploy(nth);
      most = Math.max(most, (await kept()).length);
    }
    expect(most).toBeLessThanOrEqual(2 + 1 + MAX_WAITING);
    expect((await kept()).slice(-2)).toEqual([499, 500]);
    expect(Object.keys(journal.releases).length).toBe((await kept()).length);
    expect(pins.size).toBe((await kept()).length);
    expect(tidied).toBe(0);
  });

  it('stay, where deployments leave them their time', async () => {
    const room = roomOf();
    for (let nth = 1; nth <= 5; nth += 1) {
      await room.beforeWrite(never);
      await deploy(nth);
    }
    expect(await kept()).toEqual([1, 2, 3, 4, 5]);
  });

  it('go in the order of the journal, whatever the clock said', async () => {
    const room = roomOf();
    await deploy(1);
    now += 2 * HOUR; // The clock is ahead for these two.
    await deploy(2);
    await deploy(3);
    now -= 2 * HOUR;
    for (let nth = 4; nth <= 4 + MAX_WAITING; nth += 1) await deploy(nth);
    await room.beforeWrite(never);
    expect((await kept())[0]).toBe(3);
    expect((await kept()).slice(-2)).toEqual([3 + MAX_WAITING, 4 + MAX_WAITING]);
  });
});

describe('on a full disk', () => {
  it('everything goes that is not kept, what is out of its grace first, then garbage, then what is in its grace', async () => {
    const room = roomOf();
    for (let nth = 1; nth <= 3; nth += 1) await deploy(nth);
    now += 2 * HOUR;
    for (let nth = 4; nth <= 6; nth += 1) await deploy(nth);
    const gone: number[][] = [];
    while (await room.giveBack(never)) gone.push(await kept());
    expect(gone.map((left) => left[0])).toEqual([2, 3, 3, 4, 5, 5]);
    expect(await kept()).toEqual([5, 6]);
    expect(tidied).toBe(2);
    expect(await room.giveBack(never)).toBe(false);
  });

  it('a failed release goes too, once nothing else is left to go', async () => {
    const room = roomOf();
    await fails(1);
    for (const nth of [2, 3, 4]) await deploy(nth);
    const gone: number[][] = [];
    while (await room.giveBack(never)) gone.push(await kept());
    // Twice nothing but garbage of the store.
    expect(gone).toEqual([
      [1, 2, 3, 4],
      [1, 3, 4],
      [1, 3, 4],
      [3, 4],
      [3, 4],
    ]);
    await fails(5);
    while (await room.giveBack(never));
    expect(await kept()).toEqual([3, 4, 5]);
  });

  it('pins of commits that never became releases go too, but for the wanted one', async () => {
    const room = roomOf();
    await deploy(1);
    journal = beginTarget(journal, target(7), '7.1' as TargetVersion, null);
    for (const nth of [5, 6, 7]) pins.add(commitOf(nth));
    expect(await room.giveBack(never)).toBe(true);
    expect([...pins].map((pin) => Number.parseInt(pin, 16))).toEqual([1, 7]);
  });

  it('a release that cannot be removed keeps no other from going, and is tried once', async () => {
    const room = roomOf();
    for (let nth = 1; nth <= 4; nth += 1) await deploy(nth);
    undeletable.add(releaseOf(layout, commitOf(1)));
    expect(await room.giveBack(never)).toBe(true);
    expect(await kept()).toEqual([1, 2, 3, 4]);
    expect(await room.giveBack(never)).toBe(true);
    expect(await kept()).toEqual([1, 3, 4]);
    expect(journal.releases).toHaveProperty(commitOf(1));
  });

  it('never what a link shows, what is being made, nor what it could go back to', async () => {
    const room = roomOf(1);
    for (let nth = 1; nth <= 3; nth += 1) await deploy(nth);
    journal = beginTarget(journal, target(1), '9.1' as TargetVersion, null);
    journal = { ...journal, base: { commitId: commitOf(2), relativePath: 'shop' } };
    while (await room.giveBack(never));
    expect(await kept()).toEqual([1, 2, 3]);
  });
});
