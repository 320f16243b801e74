import { beforeEach, describe, expect, it } from 'vitest';
import { openAccess } from '../../fleet/access.ts';
import { initApp } from '../../fleet/app.ts';
import {
  quarantineCommit,
  type SteeringParts,
  setHold,
  unhold,
  unquarantine,
} from '../../fleet/hold-and-quarantine.ts';
import { type PublishRequest, publishTarget } from '../../fleet/publish-transaction.ts';
import { readSharedState } from '../../fleet/shared-state.ts';
import { encodeHold, inForce, parseHold, parseQuarantine } from '../../schemas/hold.ts';
import { targetOf } from '../../schemas/target.ts';
import type { CommitId } from '../../schemas/values.ts';
import { type Znodes, znodes } from '../../schemas/znodes.ts';
import { sessionsForTest } from '../support/zookeeper/session.ts';
import { sharedServer } from '../support/zookeeper/shared.ts';

const servers = sharedServer();
const open = sessionsForTest();
let paths: Znodes;
let session: ReturnType<typeof open>;
let parts: SteeringParts;
let now = 1_000;
let count = 0;

beforeEach(async () => {
  paths = znodes(`/app/brakes${++count}`);
  session = open(servers.connect());
  await initApp(session, paths, openAccess);
  now = 1_000;
  parts = { session, znodes: paths, access: openAccess, now: () => now, newNonce: () => `n${Math.random()}` };
});

const ANN = { by: 'ann', reason: 'over' };
const BAD = 'b'.repeat(40) as CommitId;
const GOOD = 'a'.repeat(40) as CommitId;
const read = async (path: string) => (await session.get(path))?.data ?? Buffer.alloc(0);
const held = async () => inForce(parseHold(await read(paths.hold)).value, now);
const quarantined = async () => parseQuarantine(await read(paths.quarantine)).value;
const version = async (path: string) => (await session.get(path))?.stat.version;

describe('a hold', () => {
  it('names owner, reason, begin and end; said twice it is written once', async () => {
    const wanted = { by: 'ann', reason: 'inventory', end: 9_000 };
    expect(await setHold(parts, wanted)).toMatchObject({ changed: true });
    const before = await version(paths.hold);
    now = 2_000;
    expect(await setHold(parts, wanted)).toMatchObject({ changed: false, hold: { at: 1_000 } });
    expect(await version(paths.hold)).toBe(before);
    expect(await held()).toEqual({ by: 'ann', reason: 'inventory', at: 1_000, end: 9_000 });
  });

  it('is prolonged by its owner, and not taken over by another while it is in force', async () => {
    await setHold(parts, { by: 'ann', reason: 'inventory', end: 9_000 });
    await setHold(parts, { by: 'ann', reason: 'inventory', end: null });
    const other = { by: 'bob', reason: 'mine', end: null };
    await expect(setHold(parts, other)).rejects.toMatchObject({
      code: 'HOLD',
      message: expect.stringContaining('ann holds publishing'),
      hint: expect.stringContaining('gitfleet unhold'),
    });
    await setHold(parts, { by: 'ann', reason: 'inventory', end: 1_500 });
    now = 1_500;
    expect(await setHold(parts, other)).toMatchObject({ changed: true, hold: { by: 'bob', at: 1_500 } });
  });

  it('with another reason alone keeps its end; a new one has none of its own', async () => {
    const reason = { by: 'ann', reason: 'stock', end: 'as it is' } as const;
    await setHold(parts, { by: 'ann', reason: 'inventory', end: 9_000 });
    expect(await setHold(parts, reason)).toMatchObject({ changed: true, hold: { reason: 'stock', end: 9_000 } });
    await unhold(parts, ANN);
    expect(await setHold(parts, reason)).toMatchObject({ hold: { end: null } });
  });

  it('is ended once; one that cannot be read too', async () => {
    await setHold(parts, { by: 'ann', reason: 'inventory', end: null });
    expect(await unhold(parts, ANN)).toMatchObject({ by: 'ann' });
    expect(await unhold(parts, ANN)).toBe(null);
    await session.set(paths.hold, Buffer.from('stop!'), -1);
    await expect(setHold(parts, { by: 'ann', reason: 'r', end: null })).rejects.toMatchObject({ code: 'HOLD' });
    expect(await unhold(parts, ANN)).toBe('unreadable');
    expect((await read(paths.hold)).length).toBe(0);
  });

  it('that somebody else writes between look and write is not overwritten', async () => {
    let raced = false;
    const racing = {
      ...parts,
      session: {
        ...session,
        async get(path: string) {
          const node = await session.get(path);
          const bobs = { by: 'bob', reason: 'faster', at: 1, end: null };
          if (!raced) await session.set(paths.hold, encodeHold(bobs), -1);
          raced = true;
          return node;
        },
      },
    };
    const ours = setHold(racing, { by: 'ann', reason: 'inventory', end: null });
    await expect(ours).rejects.toMatchObject({ message: expect.stringContaining('bob holds publishing') });
  });
});

describe('quarantine', () => {
  it('keeps the first reason, newest first, and takes one out', async () => {
    await quarantineCommit(parts, BAD, { by: 'ann', reason: 'burns' });
    await quarantineCommit(parts, GOOD, { by: 'ann', reason: 'too' });
    expect(await quarantineCommit(parts, BAD, { by: 'bob', reason: 'other' })).toMatchObject({
      changed: false,
      entry: { by: 'ann', reason: 'burns' },
    });
    expect((await quarantined()).map((each) => each.commitId)).toEqual([GOOD, BAD]);
    expect(await unquarantine(parts, BAD, ANN)).toMatchObject({ reason: 'burns' });
    expect(await unquarantine(parts, BAD, ANN)).toBe(null);
    expect((await quarantined()).map((each) => each.commitId)).toEqual([GOOD]);
  });

  it('of twenty put in at once holds all twenty', async () => {
    const ids = Array.from({ length: 20 }, (_, at) => String(at + 10).repeat(20) as CommitId);
    await Promise.all(ids.map((id) => quarantineCommit(parts, id, { by: 'ann', reason: 'r' })));
    expect((await quarantined()).map((each) => each.commitId).sort()).toEqual(ids.sort());
  });

  it('that cannot be read is not overwritten', async () => {
    await session.set(paths.quarantine, Buffer.from('{"v":2}'), -1);
    await expect(quarantineCommit(parts, BAD, { by: 'ann', reason: 'r' })).rejects.toMatchObject({
      code: 'QUARANTINED',
    });
    await expect(unquarantine(parts, BAD, ANN)).rejects.toMatchObject({ code: 'QUARANTINED' });
    expect(String(await read(paths.quarantine))).toBe('{"v":2}');
  });
});

describe('a publish', () => {
  async function publishes(commitId: CommitId, over: Partial<PublishRequest> = {}) {
    const target = targetOf({ url: 'https://h.example.com/r.git', commitId, relativePath: 'shop' });
    const request = { target, by: 'carl', reason: 'hotfix', via: 'publish' as const, ...over };
    return await publishTarget(parts, await readSharedState(session, paths), request);
  }

  it('by force lifts the quarantine of its commit in the same transaction, and its record says so', async () => {
    await quarantineCommit(parts, BAD, { by: 'ann', reason: 'burns' });
    await quarantineCommit(parts, GOOD, { by: 'ann', reason: 'stays' });
    await expect(publishes(BAD)).rejects.toMatchObject({
      code: 'QUARANTINED',
      hint: expect.stringContaining('gitfleet unquarantine bbbbbbbbbbbb'),
    });
    const { record } = await publishes(BAD, { force: true });
    expect(record).toMatchObject({
      by: 'carl',
      reason: 'hotfix',
      lifted: { by: 'ann', reason: 'burns', at: 1_000 },
    });
    expect((await quarantined()).map((each) => each.commitId)).toEqual([GOOD]);
    const [config, list] = await Promise.all([session.get(paths.config), session.get(paths.quarantine)]);
    expect(config?.stat.mzxid).toBe(list?.stat.mzxid);
  });

  it('of what contains a commit in quarantine is refused; by force all that it contains is lifted', async () => {
    const other = 'd'.repeat(40) as CommitId;
    for (const commitId of [BAD, other, GOOD]) await quarantineCommit(parts, commitId, { by: 'ann', reason: 'burns' });
    const next = 'c'.repeat(40) as CommitId;
    const contains = async (ids: readonly CommitId[]) => ids.filter((id) => id !== GOOD);
    await expect(publishes(next, { contains })).rejects.toMatchObject({
      code: 'QUARANTINED',
      message: expect.stringContaining('contains a commit in quarantine'),
      hint: expect.stringContaining('--force -m WHY'),
    });
    expect((await publishes(next, { contains: async () => [] })).record.lifted).toBe(null);
    const { record } = await publishes(next, { contains, force: true });
    expect(record.lifted).toMatchObject({ by: 'ann', reason: 'burns' });
    expect((await quarantined()).map((each) => each.commitId)).toEqual([GOOD]);
  });

  it('by force lifts no hold, and is plain where nothing is quarantined', async () => {
    expect((await publishes(GOOD, { force: true })).record.lifted).toBe(null);
    await setHold(parts, { by: 'ann', reason: 'inventory', end: null });
    await expect(publishes(BAD, { force: true })).rejects.toMatchObject({ code: 'HOLD' });
  });

  it('by force does not pass a quarantine that nobody can read', async () => {
    await session.set(paths.quarantine, Buffer.from('{"v":2}'), -1);
    await expect(publishes(BAD, { force: true })).rejects.toMatchObject({ code: 'QUARANTINED' });
  });

  it('holds no way back: a rollback is published under it, says so in its record, and the hold stays', async () => {
    await setHold(parts, { by: 'ann', reason: 'inventory', end: null });
    const publishing = { ...parts, access: openAccess, newNonce: () => 'n' };
    const target = targetOf({ url: 'https://h.example.com/r.git', commitId: 'a'.repeat(40), relativePath: 'shop' });
    const request = { target, by: 'bob', reason: 'broken', via: 'rollback' as const };
    const { record } = await publishTarget(publishing, await readSharedState(parts.session, paths), request);
    expect(record).toMatchObject({ by: 'bob', underHold: { by: 'ann', reason: 'inventory' } });
    expect(await held()).toMatchObject({ by: 'ann' });
    const onward = { ...request, via: 'publish' as const };
    await expect(publishTarget(publishing, await readSharedState(parts.session, paths), onward)).rejects.toMatchObject({
      code: 'HOLD',
    });
  });

  it('may put what it leaves in quarantine, in the same transaction or not at all', async () => {
    await publishes(BAD);
    const leaving = { via: 'rollback' as const, quarantines: { commitId: BAD, reason: 'burns' } };
    const refused = { ...leaving, via: 'publish' as const };
    await setHold(parts, { by: 'ann', reason: 'inventory', end: null });
    await expect(publishes(GOOD, refused)).rejects.toMatchObject({ code: 'HOLD' });
    expect(await quarantined()).toEqual([]);
    await publishes(GOOD, leaving);
    await unhold(parts, ANN);
    expect(await quarantined()).toMatchObject([{ commitId: BAD, by: 'carl', reason: 'burns' }]);
    await expect(publishes(BAD)).rejects.toMatchObject({ code: 'QUARANTINED' });
  });
});
