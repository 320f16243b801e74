import { describe, expect, it } from 'vitest';
import { steer } from '../../publisher/steer.ts';
import { plan } from '../../rollout/plan.ts';
import { policy as policySchema } from '../../schemas/policy.ts';
import { World } from './observed-fleet.ts';

/** Plans and executes until there is nothing to do; resolves to the last words. */
function settle(world: World): string {
  for (let n = 0; n < 50; n++) {
    const order = plan(world.picture());
    world.execute(order);
    if (order.do === 'rest') return order.why;
  }
  throw new Error('the plan does not come to rest');
}

const TOGETHER = { cutover: 'together' };
const ids = (count: number) => Array.from({ length: count }, (_, n) => `web-${n + 1}`).toSorted();

/** Deployment 1 is proven, deployment 2 just published with this policy. */
function second(policy: Record<string, unknown>, agents = 5): World {
  const world = new World(null, agents);
  world.publish('a');
  settle(world);
  world.sayAll('active');
  settle(world);
  world.policy = policySchema().parse(policy);
  world.publish('b');
  settle(world);
  return world;
}

/** As an agent reports that swapped so many ms after the instant. */
function swapped(world: World, agentId: string, afterMs: number, more: Record<string, unknown> = {}): void {
  const instant = world.rollout?.activateAt?.at ?? Number.NaN;
  world.say(agentId, 'active', { swapped: { instant, at: instant + afterMs, errorMs: 2, waited: true, ...more } });
}

describe('a cutover', () => {
  it('names one instant once all are ready, grants no permit, and is proven with its spread', () => {
    const world = second(TOGETHER);
    expect(world.rollout).toMatchObject({ members: ids(5), activateAt: null, must: ['activateAt'] });
    for (const id of ids(4)) world.say(id, 'awaiting');
    expect(settle(world)).toBe('wave 0: waiting for web-5, before all swap together');
    expect(world.rollout?.activateAt).toBeNull();
    world.say('web-5', 'awaiting');
    expect(plan(world.picture())).toMatchObject({ do: 'cutover', instantInMs: 2_005, grant: [] });
    expect(settle(world)).toBe('wave 0: waiting for web-1, web-2, web-3, web-4, web-5');
    expect(world.rollout).toMatchObject({ activateAt: { at: world.now + 2_005 }, cleared: ids(5) });
    expect(world.permitted()).toEqual([]);
    world.now += 3_000;
    for (const [n, id] of ids(5).entries()) swapped(world, id, n * 10);
    settle(world);
    expect(world.rollout).toMatchObject({ state: 'proven' });
    const cutover = { spreadMs: 40, errorMs: 4, waited: 5, delayed: [], unmeasured: [] };
    expect(world.records[1]?.outcome).toMatchObject({ state: 'proven', cutover });
  });

  it('is one write: a second look changes nothing, and another leader finds the same instant', () => {
    const world = second(TOGETHER);
    world.sayAll('awaiting');
    settle(world);
    const named = world.rollout?.activateAt;
    world.now += 500;
    world.watched = 0;
    expect(plan(world.picture()).do).toBe('rest');
    expect(world.rollout?.activateAt).toEqual(named);
  });

  it('lets the canary swap first, and then all others in one wave', () => {
    const world = second({ ...TOGETHER, canary: 1 });
    world.sayAll('awaiting');
    settle(world);
    expect(world.rollout).toMatchObject({ wave: 0, members: ['web-1'], cleared: ['web-1'] });
    const first = world.rollout?.activateAt?.at ?? 0;
    world.now += 3_000;
    swapped(world, 'web-1', 5);
    settle(world);
    expect(world.rollout).toMatchObject({ wave: 1, members: ids(5).slice(1), cleared: ids(5) });
    expect(world.rollout?.activateAt?.at).toBeGreaterThan(first);
  });

  it('waits for all of the next wave too, where they are not ready when it begins', () => {
    const world = second({ ...TOGETHER, canary: 1 });
    world.say('web-1', 'awaiting');
    settle(world);
    swapped(world, 'web-1', 5);
    settle(world);
    expect(world.rollout).toMatchObject({ wave: 1, activateAt: null, cleared: ['web-1'] });
    for (const id of ids(5).slice(1)) world.say(id, 'awaiting');
    settle(world);
    expect(world.rollout?.activateAt).not.toBeNull();
  });

  it('swaps no agent where prepare fails on one, however long the others are ready', () => {
    const world = second(TOGETHER);
    world.sayAll('awaiting');
    world.fail('web-3', 'PREPARE_FAILED');
    settle(world);
    expect(world.rollout).toMatchObject({ state: 'halted', activateAt: null, cleared: [] });
    expect(world.rollout?.reason).toContain('web-3 failed: PREPARE_FAILED');
    world.now += 3_600_000;
    settle(world);
    expect(world.rollout?.activateAt).toBeNull();
  });

  it('continues without the one that failed once a person resumes it', () => {
    const world = second(TOGETHER);
    world.sayAll('awaiting');
    world.fail('web-3', 'PREPARE_FAILED');
    settle(world);
    const steered = world.rollout && steer('resume', world.rollout, { by: 'ann', reason: '', at: world.now });
    if (steered?.do !== 'write') throw new Error('not resumed');
    world.rollout = steered.rollout;
    settle(world);
    const others = ids(5).filter((id) => id !== 'web-3');
    expect(world.rollout).toMatchObject({ members: others, cleared: others });
    expect(world.rollout?.activateAt).not.toBeNull();
  });

  it('swaps no agent where a disk is full on one: it halts at the deadline, whatever the offline budget allows', () => {
    const world = second({ ...TOGETHER, deadline: '1m' });
    world.sayAll('awaiting');
    world.fail('web-3', 'NO_SPACE', 'retry');
    settle(world);
    expect(world.rollout).toMatchObject({ state: 'running', activateAt: null });
    world.now += 61_000;
    settle(world);
    expect(world.rollout).toMatchObject({ state: 'halted', activateAt: null, cleared: [] });
    expect(world.rollout?.reason).toBe('web-3: NO_SPACE; all swap together or none does');
  });

  it('halts at the deadline where one is still at work', () => {
    const world = second({ ...TOGETHER, deadline: '1m' });
    world.sayAll('awaiting');
    world.say('web-3', 'preparing');
    world.now += 61_000;
    settle(world);
    expect(world.rollout).toMatchObject({ state: 'halted', activateAt: null, cleared: [] });
  });

  it.each([
    ['services', 'CUTOVER'],
    ['restarts', 'CUTOVER'],
    [null, 'CUTOVER'],
  ] as const)('names no instant while the presence of one says %s', (cutover, code) => {
    const world = second(TOGETHER);
    world.agent('web-2').cutover = cutover;
    world.sayAll('awaiting');
    settle(world);
    expect(world.rollout).toMatchObject({ state: 'halted', activateAt: null, failures: [{ agentId: 'web-2', code }] });
  });

  it('does not wait for one that was away before, nor for one that joins', () => {
    const world = second(TOGETHER);
    world.agent('web-5').online = false;
    for (const id of ids(4)) world.say(id, 'awaiting');
    world.join('web-6');
    world.say('web-6', 'preparing');
    settle(world);
    expect(world.rollout).toMatchObject({ members: ids(4), cleared: ids(4) });
    expect(world.rollout?.activateAt).not.toBeNull();
  });

  it('waits for one that went away after the instant until the deadline; then it is gone, and the commit may be why', () => {
    const world = second({ ...TOGETHER, deadline: '1m' });
    world.sayAll('awaiting');
    settle(world);
    world.agent('web-4').online = false;
    world.now += 3_000;
    for (const id of ids(5)) if (id !== 'web-4') swapped(world, id, 10);
    expect(settle(world)).toBe('wave 0: waiting for web-4');
    world.now += 61_000;
    settle(world);
    const missing = [{ agentId: 'web-4', code: 'GONE' }];
    expect(world.records[1]?.outcome).toMatchObject({ state: 'rolled-back', missing, cutover: { waited: 4 } });
  });

  it('lists who heard of the instant late, with how late, and leaves it out of the spread', () => {
    const world = second(TOGETHER);
    world.sayAll('awaiting');
    settle(world);
    world.now += 60_000;
    for (const id of ids(3)) swapped(world, id, 10);
    swapped(world, 'web-4', 42_000, { waited: false });
    swapped(world, 'web-5', 0, { errorMs: null });
    settle(world);
    expect(world.records[1]?.outcome?.cutover).toEqual({
      ...{ spreadMs: 0, errorMs: 4, waited: 3, unmeasured: ['web-5'] },
      delayed: [{ agentId: 'web-4', delayMs: 42_000 }],
    });
  });

  it('goes back at once, without an instant, when the commit fails', () => {
    const world = second(TOGETHER);
    world.sayAll('awaiting');
    settle(world);
    world.now += 3_000;
    for (const id of ids(5)) swapped(world, id, 10);
    world.fail('web-2');
    settle(world);
    expect(world.records[2]).toMatchObject({ via: 'rollback', returnsTo: 1 });
    world.sayAll('awaiting');
    settle(world);
    expect(world.rollout).toMatchObject({ deployment: 3, activateAt: null, must: [] });
    expect(world.permitted()).toEqual(ids(5));
  });

  it('needs another instant where the same target is published again before all have swapped', () => {
    const world = second(TOGETHER);
    world.sayAll('awaiting');
    settle(world);
    world.publish('b');
    settle(world);
    expect(world.rollout).toMatchObject({ deployment: 3, activateAt: null, cleared: [] });
  });

  it('takes the instant from one that was late with it', () => {
    const world = second({ ...TOGETHER, deadline: '1m', failureBudget: 1, soak: '5m' });
    world.sayAll('awaiting');
    settle(world);
    world.now += 63_000;
    for (const id of ids(4)) swapped(world, id, 10);
    expect(plan(world.picture())).toMatchObject({ rollout: { late: ['web-5'], members: ids(4) } });
  });
});
