import { beforeEach, describe, expect, it } from 'vitest';
import { openAccess } from '../../fleet/access.ts';
import { initApp } from '../../fleet/app.ts';
import { readDeployment } from '../../fleet/history.ts';
import { KEPT } from '../../fleet/numbered.ts';
import { writeOutcome } from '../../fleet/outcome.ts';
import { type PublishParts, publishTarget } from '../../fleet/publish-transaction.ts';
import { readSharedState } from '../../fleet/shared-state.ts';
import { publish } from '../../publisher/publish.ts';
import { steerWords } from '../../publisher/screens/steer-words.ts';
import { steerRollout } from '../../publisher/steer-rollout.ts';
import { act, takeLead } from '../../rollout/act.ts';
import { changing, type RollBack } from '../../rollout/action.ts';
import type { Leadership } from '../../rollout/leadership.ts';
import { type Observation, observe } from '../../rollout/observe.ts';
import { plan } from '../../rollout/plan.ts';
import { createSetBackWatch } from '../../rollout/set-back.ts';
import { type Clock, systemClock } from '../../runtime/clock.ts';
import type { Outcome } from '../../schemas/deployment.ts';
import { encodeQuarantine } from '../../schemas/hold.ts';
import { policy as policySchema } from '../../schemas/policy.ts';
import { encodeRollout, parseRollout, type Rollout, rollout } from '../../schemas/rollout.ts';
import { type Target, targetOf } from '../../schemas/target.ts';
import type { CommitId } from '../../schemas/values.ts';
import { znodes } from '../../schemas/znodes.ts';
import { ANY_VERSION } from '../../zookeeper/session.ts';
import { realKit } from '../support/zookeeper/kit.ts';

const kit = realKit();
let paths: ReturnType<typeof znodes>;
let session: ReturnType<typeof kit.open>;
let parts: PublishParts & { clock: Clock };
let mine: Leadership;
let apps = 0;

beforeEach(async () => {
  paths = znodes(`/app/x${++apps}`);
  session = kit.open(kit.connect());
  await initApp(session, paths, openAccess);
  let nonce = 0;
  const newNonce = () => `n-${apps}-${++nonce}`;
  parts = { session, znodes: paths, access: openAccess, now: () => systemClock.now(), newNonce, clock: systemClock };
  mine = await stand('web-1');
});

async function stand(agentId: string): Promise<Leadership> {
  const node = await session.create(`${paths.election}/candidate-`, Buffer.alloc(0), 'ephemeral-sequential');
  const fence = (await session.exists(node))?.czxid ?? 0n;
  const guard = { op: 'check', path: node, version: ANY_VERSION } as const;
  return { agentId, term: { guard, fence, signal: new AbortController().signal } };
}

const target = (letter: string): Target =>
  targetOf({ url: 'https://git.example.com/shop.git', commitId: letter.repeat(40), relativePath: 'shop' });

const put = async (letter: string) =>
  publishTarget(parts, await readSharedState(session, paths), {
    target: target(letter),
    by: 'ann',
    reason: '',
    via: 'publish',
  });
const see = () =>
  observe(
    session,
    paths,
    async () => [],
    () => systemClock.now(),
    () => Number.POSITIVE_INFINITY,
    createSetBackWatch(
      () => 1,
      () => null,
    ),
  );
const current = async () => {
  const node = await session.get(paths.rollout);
  return node && parseRollout(node.data);
};
const config = async () => (await session.get(paths.config))?.data.toString() ?? '';

/** Deployment 1 proven, deployment 2 rolling out. */
async function begun(): Promise<Rollout> {
  await put('a');
  const { targetVersion } = await put('b');
  const base = { deployment: 1, ...core('a') };
  const value = rollout().parse({ deployment: 2, targetVersion, state: 'running', base });
  await session.set(paths.rollout, encodeRollout(value), ANY_VERSION);
  await takeLead(parts, mine, await see());
  return value;
}
const core = (letter: string) => {
  const { url, commitId, relativePath } = target(letter);
  return { url, commitId, relativePath };
};

function backOf(value: Rollout): RollBack {
  const outcome: Outcome = { state: 'rolled-back', at: 1, reached: 0, expected: 1, missing: [], by: 'coordinator' };
  return {
    ...{ do: 'roll back', why: 'web-1 failed', base: { deployment: 1, ...core('a') }, commitId: 'b'.repeat(40) },
    rollout: { ...value, state: 'rolled-back', reason: 'web-1 failed' },
    outcome: { number: 2, outcome },
  };
}

describe('an order', () => {
  it('names its term and its version: permits and record change together, or not at all', async () => {
    const value = await begun();
    const seen = await see();
    await act(parts, mine, seen, changing('wave', 'wave 1', { ...value, wave: 1 }, { grant: ['web-1', 'web-2'] }));
    expect(await current()).toMatchObject({
      wave: 1,
      leader: { agentId: 'web-1', czxid: mine.term.fence.toString(16) },
    });
    expect((await session.children(paths.permits))?.toSorted()).toEqual(['web-1', 'web-2']);
    // Planned from the view before.
    const late = act(parts, mine, seen, changing('permit', 'web-3', null, { grant: ['web-3'] }));
    await expect(late).rejects.toMatchObject({ code: 'BAD_VERSION' });
    await act(parts, mine, await see(), changing('permit', 'again', null, { grant: ['web-1'], revoke: ['web-2'] }));
    expect(await session.children(paths.permits)).toEqual(['web-1']);
  });

  it('of a leader that was replaced is refused, whatever it still believes', async () => {
    const value = await begun();
    const seen = await see();
    const other = await stand('web-2');
    await takeLead(parts, other, seen);
    const orders = [changing('permit', 'x', null, { grant: ['web-1'] }), backOf(value)];
    for (const order of orders) await act(parts, mine, seen, order).catch(() => {});
    expect(await session.children(paths.permits)).toEqual([]);
    expect(await config()).toContain('b'.repeat(40));
    // Also one that read anew, but whose node is gone.
    await session.remove((mine.term.guard as { path: string }).path, ANY_VERSION);
    const fresh = act(parts, mine, await see(), changing('note', 'x', { ...value, reason: 'mine' }));
    await expect(fresh).rejects.toMatchObject({ code: 'NO_NODE' });
    expect(await current()).toMatchObject({ leader: { agentId: 'web-2' }, reason: '' });
  });
});

describe('the instant of a cutover', () => {
  const naming = (value: Rollout) =>
    changing('cutover', 'all swap', { ...value, members: ['web-1', 'web-2'] }, { instantInMs: 2_000 });

  it('is of the moment in which it is written, with the epoch of the ensemble', async () => {
    const value = await begun();
    const before = systemClock.now();
    await act(parts, mine, await see(), naming(value));
    const written = await session.exists(paths.rollout);
    const { activateAt } = (await current()) ?? {};
    expect(activateAt?.epoch).toBe(Number((written?.mzxid ?? 0n) >> 32n));
    expect(activateAt?.at).toBeGreaterThan(before + 1_900);
    expect(activateAt?.at).toBeLessThan((written?.mtime ?? 0) + 2_100);
  });

  it('of a leader that was replaced before it wrote clears nobody', async () => {
    const value = await begun();
    const seen = await see();
    const other = await stand('web-2');
    await takeLead(parts, other, seen);
    await expect(act(parts, mine, seen, naming(value))).rejects.toMatchObject({ code: 'BAD_VERSION' });
    expect(await current()).toMatchObject({ activateAt: null, members: [] });
    await act(parts, other, await see(), naming(value));
    expect((await current())?.activateAt).not.toBeNull();
  });
});

describe('the automatic rollback', () => {
  it('publishes base, quarantines, and ends the rollout, in one transaction', async () => {
    const value = await begun();
    await act(parts, mine, await see(), backOf(value));
    const [bad, back, quarantine] = await Promise.all([
      session.get(paths.outcome(2)),
      session.get(paths.deployment(3)),
      session.get(paths.quarantine),
    ]);
    const zxids = [bad, back, quarantine, await session.get(paths.config), await session.get(paths.rollout)];
    expect(new Set(zxids.map((node) => node?.stat.mzxid)).size).toBe(1);
    expect(await current()).toMatchObject({ state: 'rolled-back', deployment: 2 });
    expect(await readDeployment(session, paths, 3)).toMatchObject({ via: 'rollback', returnsTo: 1, target: core('a') });
  });

  it('is dropped whole when anybody wrote meanwhile: a publisher, a quarantine, a verb', async () => {
    const meanwhile: [string, (value: Rollout) => Promise<unknown>][] = [
      ['a publisher', () => put('c')],
      ['a foreign writer', () => session.set(paths.config, Buffer.from(JSON.stringify(target('c'))), ANY_VERSION)],
      ['a quarantine', () => session.set(paths.quarantine, Buffer.alloc(0), ANY_VERSION)],
      ['a verb', (value) => session.set(paths.rollout, encodeRollout({ ...value, state: 'paused' }), ANY_VERSION)],
    ];
    for (const [who, write] of meanwhile) {
      apps += 100;
      paths = znodes(`/app/x${apps}`);
      await initApp(session, paths, openAccess);
      parts = { ...parts, znodes: paths };
      mine = await stand('web-1');
      const value = await begun();
      const seen: Observation = await see();
      await write(value);
      const before = [await config(), (await session.children(paths.deployments))?.length];
      await act(parts, mine, seen, backOf(value)).catch(() => {});
      expect([await config(), (await session.children(paths.deployments))?.length], who).toEqual(before);
      expect((await session.get(paths.quarantine))?.data.toString(), who).toBe('');
      expect((await readDeployment(session, paths, 2))?.outcome ?? null, who).toBeNull();
    }
  });
});

it('leaves a rollout alone whose state is of a newer version, until something else is published', async () => {
  const value = await begun();
  const newer = { ...value, state: 'draining' };
  await session.set(paths.rollout, Buffer.from(JSON.stringify(newer)), ANY_VERSION);
  const seen = await see();
  expect(plan(seen.picture)).toMatchObject({ do: 'rest', why: expect.stringContaining('draining') });
  await takeLead(parts, mine, seen);
  expect(JSON.parse((await session.get(paths.rollout))?.data.toString() ?? '')).toEqual(newer);
  const steering = { session, znodes: paths, clock: systemClock };
  const word = { by: 'ann', reason: '' };
  await expect(steerRollout(steering, 'pause', word)).rejects.toMatchObject({ code: 'ROLLOUT_NEWER' });
  await put('e');
  expect(plan((await see()).picture).do).toBe('start');
});

it('promotes the wave that was looked at, and no other one that began meanwhile', async () => {
  const value = await begun();
  const going = { ...value, permits: true, policy: policySchema().parse({ canary: 1 }), wave: 0 };
  await session.set(paths.rollout, encodeRollout(going), ANY_VERSION);
  let raced = false;
  const racing = {
    get: (path: string) => session.get(path),
    async set(path: string, data: Buffer, version: number) {
      if (!raced) await session.set(paths.rollout, encodeRollout({ ...going, wave: 1 }), ANY_VERSION);
      raced = true;
      return await session.set(path, data, version);
    },
  } as unknown as typeof session;
  const steering = { session: racing, znodes: paths, clock: systemClock };
  const steered = await steerRollout(steering, 'promote', { by: 'bob', reason: '' });
  expect(steered.do).toBe('passed');
  expect(steerWords(steered)).toContain('canary is over');
  expect(await current()).toMatchObject({ wave: 1, promoted: null });
});

it('a base that got into quarantine meanwhile is no reason to overlook an older proven one', async () => {
  const outcome: Outcome = { state: 'proven', at: 1, reached: 1, expected: 1, missing: [], by: 'ann' };
  const { record } = await put('c');
  await writeOutcome({ session, znodes: paths, access: openAccess }, record.number, outcome);
  const value = await begun();
  expect((await see()).picture.proven).toBeNull();
  const entry = { commitId: value.base?.commitId as CommitId, reason: 'empties the cart', by: 'ann', at: 1 };
  await session.set(paths.quarantine, encodeQuarantine([entry]), ANY_VERSION);
  expect((await see()).picture.proven).toMatchObject({ number: record.number });
});

it('base is the newest proven deployment that may still be activated, whoever judged it', async () => {
  await begun();
  const outcome: Outcome = { state: 'proven', at: 1, reached: 1, expected: 1, missing: [], by: 'ann' };
  expect((await see()).picture.proven).toBeNull();
  for (const letter of ['c', 'd', 'e']) {
    const { record } = await put(letter);
    if (letter !== 'e') await writeOutcome({ session, znodes: paths, access: openAccess }, record.number, outcome);
  }
  expect((await see()).picture.proven).toMatchObject({ number: 4 });
  const entry = { commitId: 'd'.repeat(40) as CommitId, reason: 'empties the cart', by: 'ann', at: 1 };
  await session.set(paths.quarantine, encodeQuarantine([entry]), ANY_VERSION);
  expect((await see()).picture.proven).toMatchObject({ number: 3 });
  expect(plan((await see()).picture)).toMatchObject({
    do: 'start',
    rollout: { base: { deployment: 3, ...core('c') } },
  });
});

it('a publisher leaves the word about a rollout in waves to the coordinator, also when all agents show it', async () => {
  await begun();
  await publish(parts, await readSharedState(session, paths), {
    target: target('c'),
    by: 'ann',
    reason: '',
    via: 'publish',
  });
  expect((await readDeployment(session, paths, 2))?.outcome).toBeNull();
});

it('the adoption of a foreign target removes the records beyond the newest', async () => {
  const records = Array.from({ length: KEPT + 5 }, (_, at) => at + 1);
  for (const n of records) await session.create(paths.deployment(n), Buffer.alloc(0), 'persistent');
  await session.set(paths.deployments, Buffer.from(`${records.length}`), ANY_VERSION);
  await session.set(paths.config, Buffer.from(JSON.stringify(core('f'))), ANY_VERSION);
  await act(parts, mine, await see(), { do: 'adopt', why: 'config was set by another ZooKeeper client' });
  const kept = (await session.children(paths.deployments)) ?? [];
  expect(kept).toHaveLength(KEPT);
  expect(kept).toContain(`d-${records.length + 1}`);
  expect(kept).not.toContain('d-6');
});

it('the start of a rollout removes the oldest records, since no publisher may', async () => {
  await begun();
  const data = Buffer.from('old');
  const last = KEPT + 4;
  for (let number = 3; number <= last; number += 1) await session.create(paths.deployment(number), data, 'persistent');
  await session.set(paths.deployments, Buffer.from(String(last)), ANY_VERSION);
  // Config is of none of them: it is adopted first.
  await put('c');
  const seen = await see();
  const order = plan(seen.picture);
  expect(order.do).toBe('start');
  expect((await session.children(paths.deployments))?.length).toBe(last + 2);
  await act(parts, mine, seen, order);
  const left = (await session.children(paths.deployments)) ?? [];
  expect(left.length).toBe(KEPT);
  expect(left).toContain(`d-${last + 2}`);
  expect(left).not.toContain('d-6');
});
