import { beforeEach, describe, expect, it } from 'vitest';
import { openAccess } from '../../fleet/access.ts';
import { initApp } from '../../fleet/app.ts';
import { readHistory } from '../../fleet/history.ts';
import { writeOutcome } from '../../fleet/outcome.ts';
import { type PublishParts, publishTarget } from '../../fleet/publish-transaction.ts';
import { readSharedState } from '../../fleet/shared-state.ts';
import { systemClock } from '../../runtime/clock.ts';
import { visible } from '../../runtime/safe-text.ts';
import type { Outcome } from '../../schemas/deployment.ts';
import { encodeHold } from '../../schemas/hold.ts';
import { ANY_URL, parseTarget, type Target, targetOf, targetVersionOf } from '../../schemas/target.ts';
import type { CommitId } from '../../schemas/values.ts';
import { znodes } from '../../schemas/znodes.ts';
import { ZooKeeperError } from '../../zookeeper/errors.ts';
import type { Session } from '../../zookeeper/session.ts';
import { proxiesForTest, type TcpProxy } from '../support/proxy.ts';
import { sessionsForTest } from '../support/zookeeper/session.ts';
import { sharedServer } from '../support/zookeeper/shared.ts';

const servers = sharedServer();
const open = sessionsForTest();
const proxied = proxiesForTest();
let paths: ReturnType<typeof znodes>;
let proxy: TcpProxy;
let count = 0;
/** Speaks to the server directly: what it sees is the truth. */
let observer: ReturnType<typeof open>;
let parts: PublishParts;

beforeEach(async () => {
  paths = znodes(`/app/p${++count}`);
  observer = open(servers.connect());
  await initApp(observer, paths, openAccess);
  proxy = await proxied(servers);
  const session = open(proxy.connect, { sessionTimeoutMs: 4_000 });
  let nonce = 0;
  parts = { session, znodes: paths, access: openAccess, now: () => 1_000, newNonce: () => `nonce-${count}-${++nonce}` };
});

const target = (letter: string): Target =>
  targetOf({ url: 'https://h.example.com/r.git', commitId: letter.repeat(40), relativePath: 'shop' });
const request = (letter: string) => ({
  target: target(letter),
  by: 'ann',
  reason: letter,
  via: 'publish' as const,
});
const shown = async () => {
  const node = await observer.get(paths.config);
  const parsed = node && parseTarget(node.data, ANY_URL);
  return parsed?.ok ? parsed.target.commitId[0] : null;
};
const letters = async () => (await readHistory(observer, paths, 99)).map((record) => record.target.commitId[0]);

describe('the publish transaction', () => {
  it('puts what a rollback leaves into quarantine at the time of the ensemble, whatever clock it has', async () => {
    const first = await publishTarget(parts, await readSharedState(parts.session, paths), request('a'));
    const quarantines = { commitId: first.record.target.commitId as CommitId, reason: 'bad' };
    const back = { ...request('b'), via: 'rollback' as const, quarantines };
    await publishTarget(parts, await readSharedState(parts.session, paths), back);
    const { quarantine, lastRecord } = await readSharedState(observer, paths);
    expect(Math.abs((quarantine.value[0]?.at ?? 0) - (lastRecord?.at ?? 0))).toBeLessThan(60_000);
  });

  it('of an app that has no clock judges a hold with an end by the clock of this machine', async () => {
    await observer.remove(paths.clock, -1);
    const holds = (end: number) => observer.set(paths.hold, encodeHold({ by: 'bob', reason: 'r', at: 1, end }), -1);
    await holds(1_001);
    const publish = async () => publishTarget(parts, await readSharedState(parts.session, paths), request('a'));
    await expect(publish()).rejects.toMatchObject({ code: 'HOLD' });
    await holds(999);
    expect(await publish()).toMatchObject({ record: { number: 1 } });
  });

  it('writes number, record and config at once, and knows the targetVersion', async () => {
    const state = await readSharedState(parts.session, paths);
    const published = await publishTarget(parts, state, request('a'));
    const after = await readSharedState(observer, paths);
    expect(published).toMatchObject({ record: { number: 1, previous: null }, previous: null });
    expect(published.targetVersion).toBe(after.config.targetVersion);
    expect(after.current).toEqual(after.lastRecord);
    const again = await publishTarget(parts, after, request('b'));
    expect(again).toMatchObject({ record: { number: 2, previous: 1 }, previous: { number: 1 } });
  });

  it('whose reply is lost: exactly one record, and the caller learns that it stands', async () => {
    const state = await readSharedState(parts.session, paths);
    await proxy.mode('mute');
    const publishing = publishTarget(parts, state, request('a'));
    await expect.poll(shown, { timeout: 20_000 }).toBe('a');
    proxy.cut();
    await proxy.mode('pass');
    const published = await publishing;
    expect(published.record.number).toBe(1);
    const node = await observer.get(paths.config);
    expect(published.targetVersion).toBe(node && targetVersionOf(node.stat));
    expect(await letters()).toEqual(['a']);
  });

  it('whose request is lost: it is sent again, and stands once', async () => {
    const state = await readSharedState(parts.session, paths);
    await proxy.mode('drop');
    const publishing = publishTarget(parts, state, request('a'));
    await expect.poll(() => parts.session.state, { timeout: 20_000 }).not.toBe('connected');
    await proxy.mode('pass');
    expect((await publishing).record.number).toBe(1);
    expect(await letters()).toEqual(['a']);
  });

  it('whose reply is lost and which somebody followed: it stood, and is not written twice', async () => {
    const state = await readSharedState(parts.session, paths);
    await proxy.mode('mute');
    const publishing = publishTarget(parts, state, request('a'));
    await expect.poll(shown, { timeout: 20_000 }).toBe('a');
    const other = { ...parts, session: observer, newNonce: () => 'other' };
    await publishTarget(other, await readSharedState(observer, paths), request('b'));
    proxy.cut();
    await proxy.mode('pass');
    expect((await publishing).record).toMatchObject({ number: 1 });
    expect(await letters()).toEqual(['b', 'a']);
    expect(await shown()).toBe('b');
  });

  it('refuses when config was written after the look, and names the winner', async () => {
    const state = await readSharedState(parts.session, paths);
    await publishTarget(parts, state, request('a'));
    await expect(publishTarget(parts, state, request('b'))).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringContaining('ann published aaaaaaaaaaaa as d-1 first'),
    });
    await observer.set(paths.config, Buffer.from('{}'), -1);
    const foreign = await readSharedState(observer, paths);
    await observer.set(paths.config, Buffer.from('{ }'), -1);
    await expect(publishTarget(parts, foreign, request('b'))).rejects.toMatchObject({ code: 'CONFLICT' });
  });

  it('of fifty at once on one look, one stands', async () => {
    const state = await readSharedState(observer, paths);
    const all = await Promise.allSettled(
      Array.from({ length: 50 }, (_, at) => publishTarget(parts, state, { ...request('a'), by: `p${at}` })),
    );
    const won = all.filter((result) => result.status === 'fulfilled');
    expect(won.length).toBe(1);
    expect(await letters()).toEqual(['a']);
  });

  it('on a number that is too low for the records ends with what to do, ours as well as a foreign write', async () => {
    await publishTarget(parts, await readSharedState(parts.session, paths), request('a'));
    await publishTarget(parts, await readSharedState(parts.session, paths), request('b'));
    await observer.set(paths.deployments, Buffer.from('1'), -1);
    const behind = { code: 'DEPLOYMENTS_BEHIND', next: 'stall', hint: expect.stringContaining('highest n') };
    // The record of 1 is not config's, so this one is about to be adopted.
    const adopting = publishTarget(parts, await readSharedState(observer, paths), request('c'));
    await expect(adopting).rejects.toMatchObject(behind);
    await observer.set(paths.config, Buffer.alloc(0), -1);
    const publishing = publishTarget(parts, await readSharedState(observer, paths), request('c'));
    await expect(publishing).rejects.toMatchObject(behind);
    expect((await observer.get(paths.config))?.data.length).toBe(0);
  });

  it.each([
    '9007199254740990',
    '9007199254740991',
    '999999999999999999999999',
    '1e3',
    '0x10',
    '007',
    '-1',
    '1.5',
    'NaN',
    '1 2',
    '\u007f\u009b31m',
  ])('on %j for a number is refused before anything is numbered', async (text) => {
    await observer.set(paths.deployments, Buffer.from(text), -1);
    const state = await readSharedState(observer, paths);
    const unreadable = `the deployments znode holds "${visible(text)}" instead of the last number`;
    expect(state.deployments).toMatchObject({ last: 0, unreadable });
    await expect(publishTarget(parts, state, request('a'))).rejects.toMatchObject({ code: 'DEPLOYMENTS_UNREADABLE' });
    expect(await observer.children(paths.deployments)).toEqual([]);
    await observer.set(paths.deployments, Buffer.from('999999999999999\n'), -1);
    await publishTarget(parts, await readSharedState(observer, paths), request('a'));
    expect(await observer.exists(paths.deployment(1_000_000_000_000_000))).not.toBeNull();
  });

  it('is read with its records where the number is lost, as the newest record says', async () => {
    await publishTarget(parts, await readSharedState(observer, paths), request('a'));
    await observer.set(paths.deployments, Buffer.from('NaN'), -1);
    const { deployments, current } = await readSharedState(observer, paths);
    expect([deployments.last, current?.number]).toEqual([1, 1]);
    await observer.set(paths.deployments, Buffer.from('1'), -1);
    await publishTarget(parts, await readSharedState(observer, paths), request('b'));
    expect((await readSharedState(observer, paths)).deployments).toMatchObject({ last: 2, unreadable: null });
  });

  it('that ends its connection each time ends too, and says that nothing was written; an adoption likewise', async () => {
    const state = await readSharedState(parts.session, paths);
    let tried = 0;
    const transact = async () => {
      tried += 1;
      throw new ZooKeeperError({ code: 'CONNECTION_LOSS', reason: 'cut' }, { path: paths.config, outcome: 'unknown' });
    };
    const cut = { ...parts, session: { ...parts.session, transact } as Session };
    await expect(publishTarget(cut, state, request('a'))).rejects.toMatchObject({ code: 'PUBLISH_STUCK' });
    expect(tried).toBeLessThan(6);
    expect(await letters()).toEqual([]);
    await observer.set(paths.config, Buffer.from(JSON.stringify(target('f'))), -1);
    const foreign = await readSharedState(parts.session, paths);
    await expect(publishTarget(cut, foreign, request('a'))).rejects.toMatchObject({ code: 'PUBLISH_STUCK' });
  });

  it('whose versions always move on ends as well', async () => {
    const state = await readSharedState(parts.session, paths);
    const transact = async () => {
      throw new ZooKeeperError({ code: 'BAD_VERSION', reason: 'moved' }, { path: paths.hold, outcome: 'none' });
    };
    const late = { ...parts, wholeMs: 300, session: { ...parts.session, transact } as Session };
    await expect(publishTarget(late, state, request('a'))).rejects.toMatchObject({ code: 'PUBLISH_STUCK' });
  });

  it('whose reply is lost while ZooKeeper stays away: it says that it may be published', async () => {
    const state = await readSharedState(parts.session, paths);
    await proxy.mode('mute');
    const publishing = publishTarget({ ...parts, settleMs: 1_000 }, state, request('a'));
    const said = expect(publishing).rejects.toMatchObject({
      code: 'PUBLISH_UNKNOWN',
      next: 'retry',
      message: expect.stringContaining('it may be published'),
      hint: expect.stringContaining('gitfleet status'),
    });
    await expect.poll(shown, { timeout: 20_000 }).toBe('a');
    await proxy.mode('refuse');
    await said;
  });

  it('whose reply is lost for longer than a call waits: it learns the truth when ZooKeeper is back', async () => {
    const state = await readSharedState(parts.session, paths);
    await proxy.mode('mute');
    const publishing = publishTarget(parts, state, request('a'));
    await expect.poll(shown, { timeout: 20_000 }).toBe('a');
    await proxy.mode('refuse');
    // A call of this session gives up after 2.7 s.
    await systemClock.sleep(6_500);
    await proxy.mode('pass');
    expect((await publishing).record.number).toBe(1);
    expect(await letters()).toEqual(['a']);
  });

  it('that stands needs no further answer of ZooKeeper', async () => {
    const state = await readSharedState(parts.session, paths);
    const { session } = parts;
    const mute: Session = Object.create(session, {
      transact: {
        value: async (...args: Parameters<Session['transact']>) => {
          const results = await session.transact(...args);
          await proxy.mode('drop');
          return results;
        },
      },
    });
    const published = await publishTarget({ ...parts, session: mute }, state, request('a'));
    expect(published.targetVersion).toBe((await readSharedState(observer, paths)).config.targetVersion);
  });
});

describe('an outcome', () => {
  const outcome = (state: Outcome['state']): Outcome => ({
    state,
    at: 1,
    reached: 1,
    expected: 1,
    missing: [],
    by: 'me',
  });

  it('stands once given, except one that only says nobody waited', async () => {
    await publishTarget(parts, await readSharedState(parts.session, paths), request('a'));
    expect(await writeOutcome({ ...parts, session: observer }, 1, outcome('timed-out'))).toBe(true);
    expect(await writeOutcome({ ...parts, session: observer }, 1, outcome('proven'))).toBe(true);
    expect(await writeOutcome({ ...parts, session: observer }, 1, outcome('failed'))).toBe(false);
    expect(await writeOutcome({ ...parts, session: observer }, 7, outcome('failed'))).toBe(false);
    expect((await readHistory(observer, paths, 1))[0]?.outcome?.state).toBe('proven');
  });
});
