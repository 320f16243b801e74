import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { baseMeanwhile, type RolloutView } from '../../../agent/coordination/clearance.ts';
import { followRollout } from '../../../agent/coordination/rollout-feed.ts';
import { applyOverride } from '../../../agent/decide.ts';
import { emptyJournal, type Journal, readJournal, writeJournal } from '../../../agent/state/journal.ts';
import { OVERRIDE_FILE, readOverride } from '../../../agent/state/override.ts';
import { unfinished } from '../../../agent/state/progress.ts';
import type { Wanted, WantedTarget } from '../../../agent/state/wanted.ts';
import { systemClock as clock } from '../../../runtime/clock.ts';
import type { Logger } from '../../../runtime/log.ts';
import type { TargetVersion } from '../../../schemas/values.ts';
import { znodes } from '../../../schemas/znodes.ts';
import type { Session, Snapshot } from '../../../zookeeper/session.ts';
import { allowedTarget, doorFor } from '../../support/allowed-target.ts';

const T = '5.100' as TargetVersion;
const [NEW, BASE] = ['b'.repeat(40), 'c'.repeat(40)] as [string, string];
const url = 'https://git.example.com/team/shop.git';
const good = { deployment: 3, url, commitId: BASE, relativePath: 'shop' };
const wanted: WantedTarget = {
  kind: 'target',
  targetVersion: T,
  target: allowedTarget({ url, commitId: NEW, relativePath: 'fresh' }),
};
const paths = znodes('/app');

/** JSON that can be read, and not written out again. */
const BOTTOMLESS = `${'['.repeat(200_000)}${']'.repeat(200_000)}`;

/** What an agent that allows `allow` makes of these rollouts, one after another, and the codes that it logs. */
async function told(bases: unknown[], { allow = ['https://git.example.com/team'], targetVersion = T } = {}) {
  const record = (base: unknown) => ({ deployment: 4, targetVersion, state: 'paused', permits: true, base });
  const text = (base: unknown) => JSON.stringify(record(base)).replaceAll('"BOTTOMLESS"', BOTTOMLESS);
  const snapshots = bases.map((base) => ({ exists: true, data: Buffer.from(text(base)) }));
  const ended = new AbortController();
  async function* watch(path: string): AsyncGenerator<Snapshot> {
    if (path !== paths.rollout) yield { exists: false };
    else {
      yield* snapshots as Snapshot[];
      ended.abort();
    }
  }
  const session = { watch } as unknown as Session;
  const codes: string[] = [];
  const log = { error: ({ code }: { code: string }) => codes.push(code) } as unknown as Logger;
  const view: RolloutView[] = [];
  await followRollout(
    { session, znodes: paths, agentId: 'web-1', resyncMs: 1, door: doorFor(allow), log, clock, random: () => 0.5 },
    (now) => view.push(now),
    ended.signal,
  );
  return { last: view.at(-1) as RolloutView, codes };
}

describe('the base of a rollout', () => {
  const hostile: [string, unknown, string][] = [
    ['a url outside the allow-list', { ...good, url: 'https://git.example.com/others/shop.git' }, 'NOT_ALLOWED'],
    ['a url of a scheme that is not listed', { ...good, url: 'file:///srv/shop.git' }, 'URL'],
    ['a url that is a helper', { ...good, url: 'ext::sh -c id' }, 'URL'],
    ['a path out of the root', { ...good, relativePath: '../outside' }, 'PATH'],
    ['an absolute path', { ...good, relativePath: '/srv/outside' }, 'PATH'],
    ['a path into our own files', { ...good, relativePath: '.gitfleet/app/releases/x' }, 'PATH'],
    ['a branch for a commit', { ...good, commitId: 'main' }, 'COMMIT'],
    ['an option for a commit', { ...good, commitId: '--upload-pack=id' }, 'COMMIT'],
    ['no url', { deployment: 3, commitId: BASE, relativePath: 'shop' }, 'SHAPE'],
    ['a commit alone', { commitId: BASE }, 'SHAPE'],
    ['no deployment', { ...good, deployment: 'three' }, 'SHAPE'],
    ['a list', [good], 'SHAPE'],
    ['a text', BASE, 'SHAPE'],
    ['a bottomless url', { ...good, url: 'BOTTOMLESS' }, 'SHAPE'],
    ['a bottomless commit', { ...good, commitId: 'BOTTOMLESS' }, 'SHAPE'],
    ['a bottomless path', { ...good, relativePath: 'BOTTOMLESS' }, 'SHAPE'],
    ['a bottomless deployment', { ...good, deployment: 'BOTTOMLESS' }, 'SHAPE'],
  ];
  it.each(hostile)('with %s is none, and that is said once', async (_, base, code) => {
    const { last, codes } = await told([base, base]);
    expect(codes).toEqual([code]);
    expect(last.base).toBeNull();
    // The rest of the rollout counts: it still takes a permit to go.
    expect(last.rollout).toMatchObject({ state: 'paused', permits: true });
    expect(baseMeanwhile(wanted, last.base, {}, {}, true)).toBeNull();
  });

  it('is judged by the rules of this agent', async () => {
    const { last, codes } = await told([good]);
    expect(codes).toEqual([]);
    expect(baseMeanwhile(wanted, last.base, {}, {}, true)).toMatchObject({ target: { commitId: BASE }, meanwhile: 3 });
    expect((await told([good], { allow: [] })).codes).toEqual(['NOT_ALLOWED']);
  });

  it.each([
    ['a member of a newer coordinator', { provenAt: 7 }],
    ['a bottomless member', { more: 'BOTTOMLESS' }],
    ['a step to run', { activate: '/bin/sh' }],
    ['additions to the target', { gitfleet: { must: ['signature'] } }],
  ])('with %s is the same without it', async (_, more) => {
    const { last, codes } = await told([{ ...good, ...more }]);
    expect(codes).toEqual([]);
    expect(last.base).toEqual((await told([good])).last.base);
    expect(last.base?.target).toEqual({ url, commitId: BASE, relativePath: 'shop', envelope: null });
  });

  it('is none where nothing was proven, which is nothing to log', async () => {
    expect(await told([null])).toMatchObject({ last: { base: null }, codes: [] });
    const without = await told([undefined]);
    expect(without).toMatchObject({ last: { base: null }, codes: [] });
    // The rest of the rollout counts: it still takes a permit to go.
    expect(without.last.rollout).toMatchObject({ state: 'paused', permits: true });
  });

  it('counts whatever the rollout is about', async () => {
    const { last } = await told([good], { targetVersion: '4.100' as TargetVersion });
    expect(baseMeanwhile(wanted, last.base, {}, {}, true)?.target.commitId).toBe(BASE);
  });
});

describe('a record on the disk of the server', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'gitfleet-base-'));
  });
  afterEach(() => rm(directory, { recursive: true }));

  const named = { commitId: BASE, relativePath: 'shop' };
  const illegal: [string, { commitId: string; relativePath: string }][] = [
    ['a path out of the root', { ...named, relativePath: '../outside' }],
    ['an absolute path', { ...named, relativePath: '/srv/outside' }],
    ['a path into our own files', { ...named, relativePath: '.gitfleet/x' }],
    ['a commit that is none', { ...named, commitId: 'main' }],
  ];

  const halfway = ({ commitId, relativePath }: typeof named): Journal => ({
    ...emptyJournal,
    progress: {
      ...{ targetVersion: T, commitId, relativePath, url },
      ...{ attempts: 0, lastFailure: null, activation: 'wanted' },
    },
    links: { [relativePath]: commitId },
    pendingActivation: { [relativePath]: { commitId, previous: null } },
    reversal: {
      ...{ commitId, relativePath, targetVersion: T, deployment: 1 },
      ...{ step: 'health', code: 'HEALTH_FAILED', back: null },
    },
    base: { commitId, relativePath },
  });

  it.each(illegal)('is no entry of the journal with %s', async (_, entry) => {
    await writeJournal(directory, halfway(entry));
    expect(await readJournal(directory)).toEqual(emptyJournal);
    expect(unfinished(halfway(entry))).toBeNull();
  });

  it('is one that goes on where a target may have it, without a repository', async () => {
    await writeJournal(directory, halfway(named));
    expect(await readJournal(directory)).toEqual(halfway(named));
    expect(unfinished(halfway(named))).toMatchObject({ target: { ...named, url: null } });
  });

  const override = { against: T, url: '', by: 'ann', reason: '', at: 1, ...named };
  const asked: Wanted = wanted;
  it.each(illegal)('is no override with %s', async (_, entry) => {
    await writeFile(join(directory, OVERRIDE_FILE), JSON.stringify({ ...override, ...entry }));
    expect(await readOverride(directory)).toBeNull();
    expect(applyOverride(asked, { ...override, ...entry }, emptyJournal)).toBe(asked);
  });

  it('brings no url as an override', async () => {
    await writeFile(join(directory, OVERRIDE_FILE), JSON.stringify({ ...override, url: 'https://evil.example.com/x' }));
    const obeyed = applyOverride(asked, await readOverride(directory), emptyJournal);
    expect(obeyed).toMatchObject({ target: { ...named, url: null } });
  });
});
