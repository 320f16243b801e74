import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openAccess } from '../../fleet/access.ts';
import { initApp } from '../../fleet/app.ts';
import { readDeployment } from '../../fleet/history.ts';
import { type PublishParts, publishTarget } from '../../fleet/publish-transaction.ts';
import { readSharedState } from '../../fleet/shared-state.ts';
import { retryRollout } from '../../publisher/retry.ts';
import { steerRollout } from '../../publisher/steer-rollout.ts';
import { type Coordinator, startCoordinator } from '../../rollout/coordinator.ts';
import { systemClock as clock, systemRandom as random } from '../../runtime/clock.ts';
import { parseQuarantine } from '../../schemas/hold.ts';
import { encodePolicy, policy } from '../../schemas/policy.ts';
import { parseRollout, type Rollout } from '../../schemas/rollout.ts';
import { type Target, targetOf } from '../../schemas/target.ts';
import { znodes } from '../../schemas/znodes.ts';
import { ZooKeeperError } from '../../zookeeper/errors.ts';
import type { Session } from '../../zookeeper/session.ts';
import { silentLog } from '../support/log.ts';
import { until } from '../support/until.ts';
import { realKit } from '../support/zookeeper/kit.ts';
import { type Actor, type ActorOptions, startActor } from './test-coordinators.ts';

const kit = realKit();
let paths: ReturnType<typeof znodes>;
let observer: ReturnType<typeof kit.open>;
let publisher: PublishParts;
let actors: Actor[] = [];
let coordinators: { coordinator: Coordinator; session: ReturnType<typeof kit.open> }[] = [];
let apps = 0;

beforeEach(async () => {
  paths = znodes(`/app/r${++apps}`);
  observer = kit.open(kit.connect());
  await initApp(observer, paths, openAccess);
  const newNonce = () => `nonce-${Math.random()}`;
  publisher = { session: observer, znodes: paths, access: openAccess, now: () => clock.now(), newNonce };
  actors = [];
  coordinators = [];
});
afterEach(async () => {
  await Promise.all(actors.map((actor) => actor.stop()));
  await Promise.all(coordinators.map(({ coordinator }) => coordinator.leave()));
});

async function fleet(count: number, options: (agentId: string) => ActorOptions = () => ({})): Promise<void> {
  const ids = Array.from({ length: count }, (_, n) => `web-${n + 1}`);
  for (const id of ids) actors.push(await startActor(kit.open(kit.connect()), paths, id, options(id)));
}

function coordinate(agentId: string, wrap: (session: Session) => Session = (session) => session) {
  const opened = kit.open(kit.connect(), { sessionTimeoutMs: 4_000 });
  const session = wrap(opened);
  const newNonce = () => `nonce-${Math.random()}`;
  const mechanics = { newNonce, clock, random, log: silentLog };
  const parts = { session, znodes: paths, access: openAccess, agentId, accepted: () => null, ...mechanics };
  const started = { coordinator: startCoordinator(parts), session: opened };
  coordinators.push(started);
  return started;
}

const target = (letter: string): Target =>
  targetOf({ url: 'https://git.example.com/shop.git', commitId: letter.repeat(40), relativePath: 'shop' });

async function publish(letter: string): Promise<number> {
  const since = await readSharedState(observer, paths);
  const request = { target: target(letter), by: 'ann', reason: letter, via: 'publish' } as const;
  return (await publishTarget(publisher, since, request)).record.number;
}

const setPolicy = (members: object) => observer.set(paths.policy, encodePolicy(policy().parse(members)), -1);
const current = async (): Promise<Rollout | null> => {
  const node = await observer.get(paths.rollout);
  return node && parseRollout(node.data);
};
const inState = (deployment: number, state: Rollout['state'], more: (r: Rollout) => boolean = () => true) =>
  until(`d-${deployment} ${state}`, async () => {
    const rollout = await current();
    return rollout?.deployment === deployment && rollout.state === state && more(rollout) && rollout;
  });
const shown = () => actors.map((actor) => actor.shown).join('');
const outcomeOf = async (number: number) => (await readDeployment(observer, paths, number))?.outcome;

describe('the coordinator', () => {
  it('judges a deployment without policy, and keeps what was proven as base', async () => {
    await fleet(3);
    coordinate('web-1');
    await publish('a');
    expect(await inState(1, 'proven')).toMatchObject({
      permits: false,
      base: { deployment: 1 },
      leader: { agentId: 'web-1' },
    });
    expect(await outcomeOf(1)).toMatchObject({ state: 'proven', reached: 3, expected: 3, by: 'coordinator' });
    expect(await observer.children(paths.permits)).toEqual([]);
  });

  it('that cannot carry out its order says so in the record, and goes on once it can', async () => {
    let tooLarge = true;
    const refusing = (session: Session): Session => ({
      ...session,
      get state() {
        return session.state;
      },
      async transact(operations, ...more) {
        const grants = operations.some((each) => each.op === 'create' && each.path.startsWith(paths.permits));
        if (tooLarge && grants)
          throw new ZooKeeperError(
            { code: 'NODE_TOO_LARGE', reason: 'the transaction has 1.2 MiB' },
            { path: paths.permits, outcome: 'none' },
          );
        return await session.transact(operations, ...more);
      },
    });
    await fleet(1);
    coordinate('web-1', refusing);
    await setPolicy({ maxParallel: 1 });
    await publish('a');
    const held = await inState(1, 'running', (rollout) => rollout.reason !== '');
    expect(held.reason).toMatch(/^the coordinator web-1 cannot carry out its order \(permit\): NODE_TOO_LARGE /);
    tooLarge = false;
    await inState(1, 'proven');
  });

  it('goes in waves, each agent only with a permit, and rolls a bad commit back once', async () => {
    await fleet(6, () => ({ bad: ['b'] }));
    coordinate('web-1');
    await publish('a');
    await inState(1, 'proven');
    await setPolicy({ canary: 1, maxParallel: '34%' });
    await publish('b');
    const back = await inState(3, 'proven');
    expect(shown()).toBe('aaaaaa');
    expect(actors.map((actor) => actor.activated.filter(({ letter }) => letter === 'b').length)).toEqual([
      1, 0, 0, 0, 0, 0,
    ]);
    expect(back.base).toMatchObject({ deployment: 3, commitId: 'a'.repeat(40) });
    const reason = 'canary web-1 failed: HEALTH_FAILED GET /up answered 500';
    expect(await outcomeOf(2)).toMatchObject({
      state: 'rolled-back',
      reason,
      missing: expect.arrayContaining([{ agentId: 'web-1', code: 'HEALTH_FAILED' }]),
    });
    expect(await readDeployment(observer, paths, 3)).toMatchObject({
      via: 'rollback',
      by: 'coordinator web-1',
      returnsTo: 1,
    });
    const quarantine = await observer.get(paths.quarantine);
    expect(parseQuarantine(quarantine?.data ?? Buffer.alloc(0)).value).toMatchObject([
      { commitId: 'b'.repeat(40), reason },
    ]);
    await expect(publish('b')).rejects.toMatchObject({ code: 'QUARANTINED' });
    await publish('c');
    await inState(4, 'proven');
    expect(shown()).toBe('cccccc');
    expect(actors.flatMap((actor) => actor.activated).every(({ permitted }) => permitted)).toBe(true);
  });

  it('hands over in the middle: the new leader goes on with nobody skipped or done twice', async () => {
    await fleet(6, () => ({ activateMs: 150 }));
    const first = coordinate('web-1');
    await until('leading', async () => first.coordinator.leading);
    await publish('a');
    await inState(1, 'proven');
    await setPolicy({ canary: 1, maxParallel: 2 });
    coordinate('web-2');
    await publish('b');
    await inState(2, 'running', (rollout) => rollout.wave === 1);
    const before = await current();
    await kit.expire(first.session);
    const proven = await inState(2, 'proven');
    expect(before?.leader?.agentId).toBe('web-1');
    expect(proven.canary).toEqual(['web-1']);
    expect(actors.map((actor) => actor.activated.map(({ letter }) => letter).join(''))).toEqual(
      Array.from({ length: 6 }, () => 'ab'),
    );
  });

  it('takes nothing from a leader that was replaced', async () => {
    await fleet(2);
    const first = coordinate('web-1');
    await until('leading', async () => first.coordinator.leading);
    await publish('a');
    await inState(1, 'proven');
    const stale = await observer.get(paths.rollout);
    const election = (await observer.children(paths.election)) ?? [];
    await kit.expire(first.session);
    await until('a new term', async () => {
      const czxid = (await current())?.leader?.czxid;
      return czxid !== undefined && czxid !== parseRollout(stale?.data ?? Buffer.alloc(0))?.leader?.czxid;
    });
    const guard = { op: 'check', path: `${paths.election}/${election[0]}`, version: -1 } as const;
    const set = { op: 'set', path: paths.rollout, data: stale?.data ?? Buffer.alloc(0) } as const;
    await expect(observer.transact([guard, { ...set, version: -1 }])).rejects.toMatchObject({ code: 'NO_NODE' });
    const version = stale?.stat.version ?? 0;
    await expect(observer.transact([{ ...set, version }])).rejects.toMatchObject({ code: 'BAD_VERSION' });
  });

  it('goes back where the server of the canary dies after it was active, in the soak', async () => {
    const dying = kit.open(kit.connect());
    actors.push(await startActor(dying, paths, 'web-0'));
    await fleet(3);
    coordinate('web-1');
    await publish('a');
    await inState(1, 'proven');
    await setPolicy({ canary: 1, maxParallel: 3, soak: '2s', deadline: '1s' });
    await publish('b');
    await inState(2, 'running', (rollout) => rollout.soakAt !== null);
    await kit.expire(dying);
    await until('judged', async () => (await outcomeOf(2))?.state === 'rolled-back');
    expect((await outcomeOf(2))?.reason).toContain('canary web-0 failed: GONE went away after it was active');
    expect(actors.slice(1).flatMap((actor) => actor.activated.map(({ letter }) => letter))).not.toContain('b');
  });

  it('obeys pause, resume and abort at once, and stays paused under a new leader', async () => {
    await fleet(4, () => ({ activateMs: 100 }));
    const first = coordinate('web-1');
    await publish('a');
    await inState(1, 'proven');
    await setPolicy({ canary: 1, maxParallel: 1 });
    await publish('b');
    await inState(2, 'running', (rollout) => rollout.wave === 1);
    const steering = { session: observer, znodes: paths, clock };
    await steerRollout(steering, 'pause', { by: 'ann', reason: 'lunch' });
    await until('who had a permit is done', async () => shown().startsWith('bb'));
    coordinate('web-2');
    await kit.expire(first.session);
    await until('a new leader', async () => (await current())?.leader?.agentId === 'web-2');
    expect(await current()).toMatchObject({ state: 'paused', paused: { by: 'ann', reason: 'lunch' }, wave: 1 });
    expect(shown()).toBe('bbaa');
    await steerRollout(steering, 'resume', { by: 'ann', reason: '' });
    await inState(2, 'running', (rollout) => rollout.wave === 2);
    await steerRollout(steering, 'abort', { by: 'ann', reason: 'wrong branch' });
    await until('judged', async () => (await outcomeOf(2))?.state === 'aborted');
    expect(await outcomeOf(2)).toMatchObject({ reason: 'aborted by ann: wrong branch' });
    expect(shown().endsWith('a')).toBe(true);
  });

  it('of an app that has no place for outcomes proves rollouts all the same, and knows where to go back to', async () => {
    await fleet(2, () => ({ bad: ['c'] }));
    coordinate('web-1');
    await publish('a');
    await inState(1, 'proven');
    await observer.removeTree(paths.outcomes);
    // As 0.1.0 had it: the outcome of d-1 is in its record.
    const { chain: _, ...record } = JSON.parse(String((await observer.get(paths.deployment(1)))?.data));
    const outcome = { state: 'proven', at: 0, reached: 2, expected: 2 };
    await observer.set(paths.deployment(1), Buffer.from(JSON.stringify({ ...record, outcome })), -1);
    await setPolicy({ maxParallel: 1 });
    await publish('b');
    expect(await inState(2, 'proven')).toMatchObject({ base: { deployment: 2 } });
    await publish('c');
    await inState(4, 'proven');
    expect(await readDeployment(observer, paths, 4)).toMatchObject({
      via: 'rollback',
      returnsTo: 2,
      quarantined: 'c'.repeat(40),
    });
    expect(shown()).toBe('bb');
  });

  it('rests where an aborted deployment can have no outcome: the app has no place for it, or a child is below it', async () => {
    let transactions = 0;
    const counting = (session: Session): Session =>
      new Proxy(session, {
        get(target, name) {
          if (name === 'transact') transactions += 1;
          return Reflect.get(target, name);
        },
      });
    await fleet(1);
    coordinate('web-1', counting);
    await setPolicy({ canary: 'role=none' });
    const steering = { session: observer, znodes: paths, clock };
    const aborts = async (number: number) => {
      await inState(number, 'running');
      await steerRollout(steering, 'abort', { by: 'ann', reason: 'wrong branch' });
      await inState(number, 'aborted');
      const before = transactions;
      await clock.sleep(500);
      expect(transactions - before).toBeLessThan(5);
    };
    await observer.create(paths.outcome(1), Buffer.from('junk'), 'persistent', { acl: openAccess.of('outcome') });
    await observer.create(`${paths.outcome(1)}/x`, Buffer.alloc(0), 'persistent', { acl: openAccess.of('outcome') });
    await publish('a');
    await aborts(1);
    await observer.removeTree(paths.outcomes);
    await publish('b');
    await aborts(2);
  });

  it('tries again when a person says so: with the same canary, and only where it failed', async () => {
    const bad = ['b'];
    await fleet(4, (id) => (id === 'web-2' ? { bad } : {}));
    coordinate('web-1');
    await publish('a');
    await inState(1, 'proven');
    await setPolicy({ canary: 1, maxParallel: 1, onFailure: 'pause' });
    await publish('b');
    const halted = await inState(2, 'halted');
    expect(halted.reason).toBe('web-2 failed: HEALTH_FAILED GET /up answered 500');
    expect(halted.failures).toMatchObject([{ agentId: 'web-2', code: 'HEALTH_FAILED' }]);
    expect(shown()).toBe('baaa');
    bad.pop();
    const again = await retryRollout({ ...publisher, clock }, { by: 'ann', reason: 'the database is back' });
    expect(again).toMatchObject({ record: { number: 3, reason: 'the database is back' } });
    expect(await inState(3, 'proven')).toMatchObject({ canary: ['web-1'], base: { deployment: 3 } });
    expect(shown()).toBe('bbbb');
    expect(actors.map((actor) => actor.activated.length)).toEqual([2, 3, 2, 2]);
    expect(await retryRollout({ ...publisher, clock }, { by: 'ann', reason: '' })).toMatchObject({
      rollout: { deployment: 3 },
    });
  });

  it('adopts what another client set, and its rollout follows the policy', async () => {
    await fleet(3);
    coordinate('web-1');
    await publish('a');
    await inState(1, 'proven');
    await setPolicy({ canary: 'role=none' });
    await observer.set(paths.config, Buffer.from(JSON.stringify(target('b'))), -1);
    const held = await inState(2, 'running', (rollout) => rollout.reason !== '');
    expect(held.reason).toBe('no agent that is online is chosen as canary by role=none');
    expect(await readDeployment(observer, paths, 2)).toMatchObject({ via: 'adopted' });
    expect(shown()).toBe('aaa');
  });

  it('stands with six others at the most, and leaves without a trace', async () => {
    await Promise.all(Array.from({ length: 9 }, (_, n) => coordinate(`web-${n}`)));
    await until('seven stand', async () => (await observer.children(paths.election))?.length === 7);
    await Promise.all(coordinators.map(({ coordinator }) => coordinator.leave()));
    expect(await observer.children(paths.election)).toEqual([]);
  });
});
