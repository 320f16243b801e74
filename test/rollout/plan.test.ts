import { describe, expect, it } from 'vitest';
import { steer } from '../../publisher/steer.ts';
import type { Action } from '../../rollout/action.ts';
import { plan } from '../../rollout/plan.ts';
import { codes } from '../../runtime/codes.ts';
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

/** A fleet that has deployment 1 proven, and deployment 2 just published. */
function second(policy: Record<string, unknown> | null, agents: ConstructorParameters<typeof World>[1] = 8): World {
  const world = new World(null, agents);
  world.publish('a');
  settle(world);
  world.sayAll('active');
  settle(world);
  world.policy = policy === null ? null : policySchema().parse(policy);
  world.publish('b');
  return world;
}

/** The wave that has its permits is done. */
function finish(world: World): void {
  for (const id of world.permitted()) if (world.agent(id).report?.phase !== 'active') world.say(id, 'active');
}

const WAVES = { canary: 1, maxParallel: '25%' };

describe('without a policy', () => {
  it('is one wave that needs no permits, and proven when all agents show it', () => {
    const world = new World(null, 3);
    world.publish('a');
    expect(settle(world)).toBe('0 of 3 agents show it');
    expect(world.rollout).toMatchObject({ permits: false, state: 'running', policy: null, base: null });
    world.sayAll('active');
    settle(world);
    expect(world.rollout).toMatchObject({ state: 'proven', base: { deployment: 1, commitId: 'a'.repeat(40) } });
    expect(world.records[0]?.outcome).toMatchObject({ state: 'proven', reached: 3, expected: 3 });
    expect(world.permitted()).toEqual([]);
  });

  it('has failed when everybody is settled and somebody will not; nothing is rolled back', () => {
    const world = second(null, 3);
    settle(world);
    world.say('web-1', 'active');
    world.fail('web-2', 'ACTIVATE_FAILED');
    expect(settle(world)).toContain('1 of 3');
    world.say('web-3', 'active');
    expect(settle(world)).toContain('failed: web-2 gave up');
    expect(world.rollout).toMatchObject({ state: 'failed', base: { deployment: 1 } });
    expect(world.records[1]?.outcome).toMatchObject({ state: 'failed', missing: [{ agentId: 'web-2' }] });
  });

  it('has failed too where the others cannot for a reason that is not the commit', () => {
    const world = second(null, 2);
    settle(world);
    world.say('web-1', 'active');
    world.fail('web-2', 'NOT_ALLOWED');
    expect(settle(world)).toContain('failed: web-2 gave up');
    expect(world.rollout).toMatchObject({ state: 'failed', failures: [{ agentId: 'web-2', code: 'NOT_ALLOWED' }] });
  });

  it('is not over while an agent cannot yet, for a reason that may pass', () => {
    const world = second(null, 2);
    settle(world);
    world.say('web-1', 'active');
    world.fail('web-2', 'NO_SPACE', 'retry');
    expect(settle(world)).toBe('1 of 2 agents show it');
  });

  it('is not over while nobody is online, and waits for one that began and went away', () => {
    const world = new World(null, 2);
    world.publish('a');
    for (const each of world.agents.values()) each.online = false;
    expect(settle(world)).toBe('no agent is online');
    world.agent('web-1').online = true;
    world.say('web-1', 'active');
    world.say('web-2', 'fetching');
    expect(settle(world)).toBe('1 of 2 agents show it');
  });
});

describe('waves', () => {
  it('go one after another: the canary alone, then a quarter at a time, and end proven', () => {
    const world = second(WAVES);
    settle(world);
    const waves: string[][] = [];
    for (let n = 0; n < 10 && world.rollout?.state === 'running'; n++) {
      world.sayAll('awaiting');
      for (const id of waves.flat()) world.say(id, 'active');
      settle(world);
      waves.push(world.permitted().filter((id) => !waves.flat().includes(id)));
      finish(world);
      settle(world);
    }
    expect(waves).toEqual([['web-1'], ['web-2', 'web-3'], ['web-4', 'web-5'], ['web-6', 'web-7'], ['web-8']]);
    expect(world.rollout).toMatchObject({ state: 'proven', base: { deployment: 2 }, members: [] });
  });

  it('begin with permits only for those who are ready', () => {
    const world = second({ maxParallel: 3 });
    expect(settle(world)).toBe('wave 0: waiting for web-1, web-2, web-3');
    expect(world.permitted()).toEqual([]);
    world.say('web-2', 'awaiting');
    expect(settle(world)).toBe('wave 0: waiting for web-1, web-2, web-3');
    expect(world.permitted()).toEqual(['web-2']);
    world.say('web-7', 'awaiting');
    settle(world);
    expect(world.permitted()).toEqual(['web-2']);
  });

  it('never give more permits than may be in flight, however large the canary is', () => {
    const world = second({ canary: 5, maxParallel: 2 });
    settle(world);
    world.sayAll('awaiting');
    settle(world);
    expect(world.permitted()).toEqual(['web-1', 'web-2']);
    world.say('web-1', 'active');
    settle(world);
    expect(world.permitted()).toEqual(['web-1', 'web-2', 'web-3']);
  });

  it('count who is under way still for an earlier target, until it says how that ended', () => {
    const world = second({ maxParallel: 1 });
    settle(world);
    world.sayAll('awaiting');
    settle(world);
    expect(world.permitted()).toEqual(['web-1']);
    world.say('web-1', 'activating');
    world.publish('c');
    for (const id of ['web-2', 'web-3']) world.say(id, 'awaiting');
    settle(world);
    world.agent('web-1').online = false;
    expect(settle(world)).toBe('wave 1: waiting for web-1');
    expect(world.permitted()).toEqual([]);
    world.agent('web-1').online = true;
    world.say('web-1', 'fetching');
    settle(world);
    expect(world.permitted()).toEqual(['web-2']);
  });

  it('count whoever shows it already as done, permit or not', () => {
    const world = second(WAVES);
    settle(world);
    world.sayAll('active');
    settle(world);
    expect(world.rollout?.state).toBe('proven');
    expect(world.permitted()).toEqual([]);
  });

  it('soak, and start anew to soak when an agent is no longer well', () => {
    const world = second({ ...WAVES, soak: '5m' });
    settle(world);
    world.sayAll('awaiting');
    settle(world);
    finish(world);
    expect(settle(world)).toBe('wave 0 soaks for 5m');
    world.now += 299_000;
    settle(world);
    expect(world.rollout?.wave).toBe(0);
    world.say('web-1', 'checking');
    settle(world);
    world.say('web-1', 'active');
    world.now += 2_000;
    expect(settle(world)).toBe('wave 0 soaks for 5m');
    world.now += 300_000;
    settle(world);
    expect(world.rollout?.wave).toBe(1);
  });

  it('wait after the canary for a person where the policy says so', () => {
    const world = second({ ...WAVES, promote: 'manual' });
    settle(world);
    world.sayAll('awaiting');
    settle(world);
    finish(world);
    expect(settle(world)).toContain('waiting for gitfleet promote');
    expect(world.rollout?.reason).toContain('waiting for gitfleet promote');
    if (world.rollout) world.rollout = { ...world.rollout, promoted: { by: 'ann', reason: '', at: 0, wave: 0 } };
    settle(world);
    expect(world.rollout).toMatchObject({ wave: 1, reason: '' });
  });

  it('take one zone at a time', () => {
    const zones = { a1: { zone: 'a' }, a2: { zone: 'a' }, b1: { zone: 'b' }, c1: {}, a3: { zone: 'a' } };
    const world = second({ maxParallel: 2, byLabel: 'zone' }, zones);
    const waves: string[] = [];
    settle(world);
    for (let n = 0; n < 10 && world.rollout?.state !== 'proven'; n++) {
      settle(world);
      waves.push((world.rollout?.members ?? []).join(' '));
      for (const id of world.rollout?.members ?? []) world.say(id, 'active');
      const order = plan(world.picture());
      world.execute(order);
    }
    expect(waves).toEqual(['a1 a2', 'a3', 'b1', 'c1']);
  });
});

describe('a broken budget', () => {
  function broken(policy: Record<string, unknown>): World {
    const world = second({ ...WAVES, ...policy });
    settle(world);
    world.sayAll('awaiting');
    settle(world);
    world.fail('web-1');
    return world;
  }

  it('of the canary goes back to what was proven, in one order, and the way back has no canary and no soak', () => {
    const world = broken({ soak: '5m', onFailure: 'rollback' });
    const order = plan(world.picture());
    expect(order).toMatchObject({ do: 'roll back', base: { deployment: 1 }, commitId: 'b'.repeat(40) });
    world.execute(order);
    expect(world.rollout).toMatchObject({
      state: 'rolled-back',
      failures: [{ agentId: 'web-1', code: 'HEALTH_FAILED' }],
    });
    expect(world.records[1]?.outcome).toMatchObject({
      state: 'rolled-back',
      missing: [{ agentId: 'web-1', code: 'HEALTH_FAILED' }, {}, {}, {}, {}, {}, {}, {}],
    });
    settle(world);
    expect(world.rollout).toMatchObject({ deployment: 3, state: 'running', canary: [], members: ['web-1', 'web-2'] });
    expect(world.rollout?.policy).toMatchObject({ soak: '0s', onFailure: 'continue', maxParallel: '25%' });
    world.sayAll('active');
    settle(world);
    expect(world.rollout).toMatchObject({ state: 'proven', base: { deployment: 3, commitId: 'a'.repeat(40) } });
  });

  it('happens once: a way back that fails ends failed and nothing more is ordered', () => {
    const world = broken({});
    settle(world);
    for (const each of world.agents.values()) if (each.agentId !== 'web-2') world.say(each.agentId, 'active');
    world.fail('web-2');
    expect(settle(world)).toContain('failed: web-2 failed: HEALTH');
    expect(world.records).toHaveLength(3);
    expect(world.rollout).toMatchObject({ state: 'failed', base: { deployment: 1 } });
  });

  it('pauses where the policy says so, and goes on with who is excused', () => {
    const world = broken({ onFailure: 'pause' });
    expect(settle(world)).toBe('halted: canary web-1 failed: HEALTH_FAILED GET /up: 500');
    if (world.rollout) world.rollout = { ...world.rollout, state: 'running', excused: ['web-1'] };
    settle(world);
    expect(world.rollout).toMatchObject({ state: 'running', wave: 1 });
  });

  it('continues where the policy says so, and ends failed', () => {
    const world = broken({ onFailure: 'continue' });
    for (let n = 0; n < 10 && world.rollout?.state === 'running'; n++) {
      settle(world);
      finish2(world);
    }
    expect(world.rollout).toMatchObject({ state: 'failed', wave: 4 });
    expect(world.records[1]?.outcome).toMatchObject({ state: 'failed', reached: 7, expected: 8 });
  });

  function finish2(world: World): void {
    for (const id of world.permitted()) if (id !== 'web-1') world.say(id, 'active');
  }

  it('is not broken by as many as the policy allows', () => {
    const world = second({ maxParallel: 4, failureBudget: 1 });
    settle(world);
    world.sayAll('awaiting');
    settle(world);
    world.fail('web-2');
    settle(world);
    expect(world.rollout).toMatchObject({ state: 'running', wave: 0 });
    world.fail('web-8', 'PREPARE_FAILED');
    expect(plan(world.picture())).toMatchObject({ do: 'roll back' });
    expect(plan(world.picture()).why).toContain(
      'web-2 failed: HEALTH_FAILED GET /up: 500; web-8 failed: PREPARE_FAILED GET /up: 500; the policy allows 1',
    );
  });

  it('goes back to an older proven one where the base is in quarantine by now', () => {
    const world = new World(null, 4);
    for (const letter of ['a', 'c']) {
      world.publish(letter);
      settle(world);
      world.sayAll('active');
      settle(world);
    }
    world.policy = policySchema().parse(WAVES);
    world.publish('b');
    settle(world);
    world.sayAll('awaiting');
    settle(world);
    world.quarantine.push('c'.repeat(40));
    world.fail('web-1');
    expect(plan(world.picture())).toMatchObject({ do: 'halt', why: expect.stringContaining('d-2 is in quarantine') });
    world.proven = world.records[0] ?? null;
    const order = plan(world.picture());
    expect(order).toMatchObject({ do: 'roll back', base: { deployment: 1 }, rollout: { base: { deployment: 1 } } });
    world.quarantine.push('a'.repeat(40));
    expect(plan(world.picture()).do).toBe('halt');
  });

  it('goes back past an activation that hangs, and to that agent last', () => {
    const world = second({ canary: 2, maxParallel: 1 }, 3);
    settle(world);
    world.sayAll('awaiting');
    settle(world);
    expect(world.permitted()).toEqual(['web-1']);
    world.say('web-1', 'activating');
    world.fail('web-2');
    if (world.rollout) world.agent('web-2').permit = { targetVersion: world.targetVersion, at: world.now };
    world.execute(plan(world.picture()));
    expect(world.records).toHaveLength(3);
    settle(world);
    expect(world.rollout).toMatchObject({ wayBack: true, members: ['web-2'] });
    world.say('web-2', 'awaiting');
    world.say('web-3', 'awaiting');
    settle(world);
    expect(world.permitted()).toEqual(['web-2']);
    world.say('web-2', 'active');
    settle(world);
    world.say('web-3', 'active');
    settle(world);
    expect(world.rollout).toMatchObject({ state: 'running', members: ['web-1'] });
    world.say('web-1', 'active');
    settle(world);
    expect(world.rollout?.state).toBe('proven');
  });

  it('with nothing proven to go back to halts and says so', () => {
    const world = new World(WAVES, 3);
    world.publish('a');
    settle(world);
    world.sayAll('awaiting');
    settle(world);
    world.fail('web-1');
    expect(settle(world)).toContain('no rollback: nothing was proven before it');
    expect(world.rollout?.state).toBe('halted');
  });
});

describe('a failure before the permit', () => {
  const rows: [string, Record<string, unknown>, (world: World) => void, string][] = [
    ['outside the canary', {}, (world) => world.fail('web-5', 'PREPARE_FAILED'), 'web-5 failed: PREPARE_FAILED'],
    ['of the canary', {}, (world) => world.fail('web-1', 'UNSAFE_TREE'), 'canary web-1 failed: UNSAFE_TREE'],
    [
      'of more than the policy allows',
      { failureBudget: 1 },
      (world) => ['web-5', 'web-6'].map((id) => world.fail(id, 'PREPARE_FAILED')),
      'web-5, web-6 failed: PREPARE_FAILED GET /up: 500; the policy allows 1',
    ],
    [
      'by lateness without a word why',
      { deadline: '10m' },
      (world) => {
        world.say('web-1', 'preparing');
        world.now += 601_000;
      },
      'canary web-1 failed: DEADLINE not done within the deadline, last seen preparing',
    ],
  ];

  it.each(rows)('%s halts; nothing goes back and nothing is in quarantine', (_, policy, fails, why) => {
    const world = second({ ...WAVES, ...policy });
    settle(world);
    fails(world);
    const said = settle(world);
    expect(said).toContain(why);
    expect(said).toContain('no rollback: none of them had a permit yet');
    expect(world.rollout).toMatchObject({
      state: 'halted',
      failures: [{ code: expect.any(String) }, ...(policy.failureBudget ? [{}] : [])],
    });
    expect({ records: world.records.length, quarantine: world.quarantine }).toEqual({ records: 2, quarantine: [] });
  });

  it('and one after it together are the fault of the commit, also where the permit was taken since', () => {
    const world = second({ maxParallel: 2, failureBudget: 1, deadline: '10m' });
    settle(world);
    world.sayAll('awaiting');
    settle(world);
    world.say('web-1', 'active');
    world.now += 601_000;
    settle(world);
    expect(world.rollout).toMatchObject({ late: ['web-2'], latePermitted: ['web-2'] });
    expect(world.agent('web-2').permit).toBeNull();
    world.fail('web-8', 'PREPARE_FAILED');
    expect(plan(world.picture())).toMatchObject({ do: 'roll back', commitId: 'b'.repeat(40) });
  });

  it('by lateness is over once the agent is ready; what it does with its permit counts, also where it was excused', () => {
    const world = second({ ...WAVES, deadline: '10m' });
    settle(world);
    world.say('web-1', 'fetching');
    world.now += 601_000;
    settle(world);
    expect(world.rollout).toMatchObject({ state: 'halted', late: ['web-1'], latePermitted: [] });
    if (world.rollout)
      world.rollout = { ...world.rollout, state: 'running', waveAt: 0, reason: '', excused: ['web-1'] };
    world.sayAll('awaiting');
    settle(world);
    expect(world.permitted()).toEqual(['web-1']);
    expect(world.rollout).toMatchObject({ wave: 0, late: [], excused: [] });
    world.fail('web-1');
    expect(plan(world.picture())).toMatchObject({ do: 'roll back' });
  });
});

/** Each says something about a server, its origin, the target or ZooKeeper; a code of a newer version is nobody's. */
const NOT_THE_COMMIT = [
  ...Object.entries(codes()).flatMap(([code, { about }]) => (about === 'commit' ? [] : [code])),
  'A_CODE_OF_TOMORROW',
].filter((code) => code !== 'TARGET_WENT_BACK');

describe('a failure that does not speak about the commit', () => {
  it.each(NOT_THE_COMMIT)(
    '%s of an agent with a permit takes no budget, sends nothing back, quarantines nothing',
    (code) => {
      const world = second({ ...WAVES, canary: 2 }, 8);
      settle(world);
      world.sayAll('awaiting');
      settle(world);
      expect(world.permitted()).toEqual(['web-1', 'web-2']);
      world.say('web-1', 'active');
      world.fail('web-2', code);
      settle(world);
      expect({ records: world.records.length, quarantine: world.quarantine }).toEqual({ records: 2, quarantine: [] });
      expect(world.rollout?.state).toBe('running');
      // Another one takes its place in the canary: nothing goes on untried.
      expect(world.rollout).toMatchObject({ wave: 0, canary: ['web-1', 'web-3'] });
    },
  );

  it('is named in the outcome of a deployment that is proven without it, and can be tried again', () => {
    const world = second({ maxParallel: 4 }, 4);
    settle(world);
    world.sayAll('awaiting');
    settle(world);
    for (const id of ['web-2', 'web-3', 'web-4']) world.say(id, 'active');
    world.fail('web-1', 'NO_SPACE');
    settle(world);
    expect(world.rollout).toMatchObject({ state: 'proven', failures: [{ agentId: 'web-1', code: 'NO_SPACE' }] });
    expect(world.records[1]?.outcome).toMatchObject({
      ...{ state: 'proven', reached: 3, expected: 4 },
      missing: [{ agentId: 'web-1', code: 'NO_SPACE' }],
    });
  });

  it('of more servers than may be away keeps the rest waiting, as long as one may still come to something', () => {
    const world = second({ maxParallel: 4, offlineBudget: 1 }, 4);
    settle(world);
    world.sayAll('awaiting');
    world.fail('web-1', 'NO_SPACE');
    world.fail('web-2', 'PERMISSION');
    expect(settle(world)).toContain('2 of 4 agents cannot deploy it (web-1: NO_SPACE; web-2: PERMISSION)');
    expect(world.rollout).toMatchObject({ state: 'running' });
    world.say('web-1', 'awaiting');
    settle(world);
    for (const id of ['web-3', 'web-4']) world.say(id, 'active');
    settle(world);
    expect(world.permitted()).toContain('web-1');
  });

  it('of all servers halts and says that the commit is not the cause; resume passes them', () => {
    const world = second({ maxParallel: 4 }, 2);
    settle(world);
    for (const id of ['web-1', 'web-2']) world.fail(id, 'NOT_ALLOWED');
    expect(settle(world)).toContain('(web-1, web-2: NOT_ALLOWED); the commit is not the cause');
    expect(world.rollout).toMatchObject({ state: 'halted', failures: [{ agentId: 'web-1' }, { agentId: 'web-2' }] });
    expect({ records: world.records.length, quarantine: world.quarantine }).toEqual({ records: 2, quarantine: [] });
    const resumed = world.rollout && steer('resume', world.rollout, { by: 'ann', reason: '', at: world.now });
    if (resumed?.do === 'write') world.rollout = resumed.rollout;
    expect(settle(world)).toBe('failed: web-1, web-2 cannot deploy it, and no agent shows it');
    expect(world.records[1]?.outcome).toMatchObject({ state: 'failed', reached: 0 });
  });

  it.each([
    ['with a canary and a promotion', { canary: 1, promote: 'manual', soak: '5m' }],
    ['without one', { maxParallel: 4 }],
  ])('of all servers halts also where all may be away, %s', (_, policy) => {
    const world = second({ ...policy, offlineBudget: '100%' }, 2);
    settle(world);
    world.fail('web-1', 'NOT_ALLOWED');
    world.fail('web-2', 'NO_SPACE', 'retry');
    settle(world);
    expect(world.rollout?.state).toBe('running');
    world.fail('web-2', 'NOT_ALLOWED');
    expect(settle(world)).toContain('(web-1, web-2: NOT_ALLOWED); the commit is not the cause');
    expect(world.rollout?.state).toBe('halted');
  });

  it('of all servers that are online waits for one that is away, until it has been away for the deadline', () => {
    const world = second({ offlineBudget: '100%', deadline: '10m' }, 2);
    settle(world);
    world.agent('web-2').online = false;
    world.fail('web-1', 'NOT_ALLOWED');
    settle(world);
    expect(world.rollout?.state).toBe('running');
    world.now += 601_000;
    expect(settle(world)).toContain('(web-1: NOT_ALLOWED); the commit is not the cause');
  });

  it('of all servers halts the way back', () => {
    const world = second({ maxParallel: 2 }, 2);
    settle(world);
    world.sayAll('awaiting');
    settle(world);
    world.fail('web-1');
    settle(world);
    expect(world.rollout).toMatchObject({ wayBack: true, state: 'running' });
    for (const id of ['web-1', 'web-2']) world.fail(id, 'PERMISSION');
    expect(settle(world)).toContain('(web-1, web-2: PERMISSION); the commit is not the cause');
    expect(world.rollout?.state).toBe('halted');
  });

  it('does not explain why an agent went away with its permit: that counts at the deadline', () => {
    const world = second({ maxParallel: 1, deadline: '10m' }, 4);
    settle(world);
    world.sayAll('awaiting');
    settle(world);
    world.fail('web-1', 'NO_SPACE', 'retry');
    world.agent('web-1').online = false;
    world.now += 601_000;
    const order = plan(world.picture());
    expect(order).toMatchObject({ do: 'roll back', why: expect.stringContaining('GONE went away with its permit') });
  });

  it('by an outage of the origin for longer than the deadline waits, and goes on when it is over', () => {
    const world = second({ canary: 1, maxParallel: 4, deadline: '10m' }, 2);
    settle(world);
    for (const id of ['web-1', 'web-2']) world.fail(id, 'FETCH_FAILED', 'retry');
    world.now += 601_000;
    expect(settle(world)).toContain('cannot deploy it (web-1, web-2: FETCH_FAILED)');
    expect(world.rollout).toMatchObject({ state: 'running', late: ['web-1', 'web-2'], latePermitted: [] });
    // The next try reports no error any more.
    world.say('web-1', 'fetching');
    expect(settle(world)).toContain('cannot deploy it (web-1: DEADLINE; web-2: FETCH_FAILED)');
    expect(world.rollout).toMatchObject({ state: 'running', lateUnable: ['web-1', 'web-2'] });
    world.sayAll('awaiting');
    settle(world);
    expect(world.permitted()).toHaveLength(1);
  });

  it('and outlasts the deadline takes the permit; a server that recovers gets a new one, and rolls nothing back', () => {
    const world = second({ maxParallel: 1, failureBudget: 0, deadline: '10m' }, 4);
    settle(world);
    world.sayAll('awaiting');
    settle(world);
    expect(world.permitted()).toEqual(['web-1']);
    world.fail('web-1', 'NO_SPACE', 'retry');
    world.now += 601_000;
    settle(world);
    expect(world.rollout).toMatchObject({ late: ['web-1'], latePermitted: [], lateUnable: ['web-1'] });
    expect(world.permitted()).toEqual(['web-2']);
    for (const phase of ['writing', 'awaiting'] as const) {
      world.say('web-1', phase);
      settle(world);
      expect(world.rollout?.state).toBe('running');
    }
    for (const id of ['web-2', 'web-1', 'web-3', 'web-4']) {
      expect(world.permitted()).toContain(id);
      world.say(id, 'active');
      settle(world);
    }
    expect({ records: world.records.length, quarantine: world.quarantine }).toEqual({ records: 2, quarantine: [] });
    expect(world.rollout).toMatchObject({ state: 'proven', late: [], lateUnable: [] });
  });

  it.each(['fetching', 'writing', 'verifying'] as const)(
    'is what an agent is late for that tries again in the very moment of the deadline, %s',
    (phase) => {
      const world = second({ canary: 1, maxParallel: 4, deadline: '10m' }, 3);
      settle(world);
      for (const id of ['web-2', 'web-3']) world.say(id, 'awaiting');
      world.say('web-1', phase, { attempts: 3 });
      world.now += 601_000;
      settle(world);
      expect(world.rollout).toMatchObject({ state: 'running', lateUnable: ['web-1'] });
      expect(world.permitted()).toHaveLength(1);
    },
  );

  it.each([
    ['at its first try', 'fetching', 0],
    ['while it prepares', 'preparing', 2],
  ] as const)('is not what an agent is late for %s', (_, phase, attempts) => {
    const world = second({ canary: 1, maxParallel: 4, deadline: '10m' }, 3);
    settle(world);
    world.say('web-1', phase, { attempts });
    world.now += 601_000;
    expect(settle(world)).toContain('none of them had a permit yet');
    expect(world.rollout?.state).toBe('halted');
  });

  it('and outlasts the deadline of a permit does not hide that the commit it activated is bad', () => {
    const world = second({ maxParallel: 1, deadline: '10m' }, 4);
    settle(world);
    world.sayAll('awaiting');
    settle(world);
    world.fail('web-1', 'NO_SPACE', 'retry');
    world.now += 601_000;
    settle(world);
    expect(world.rollout).toMatchObject({ state: 'running', lateUnable: ['web-1'], revoked: ['web-1'] });
    // It had swapped before its permit was taken.
    world.fail('web-1', 'HEALTH_FAILED');
    expect(plan(world.picture())).toMatchObject({ do: 'roll back', commitId: 'b'.repeat(40) });
  });

  it('by the commit, after it was late by an outage, counts as a failure of the commit', () => {
    const world = second({ maxParallel: 1, deadline: '10m' }, 2);
    settle(world);
    world.fail('web-1', 'FETCH_FAILED', 'retry');
    world.now += 601_000;
    settle(world);
    world.fail('web-1', 'PREPARE_FAILED');
    expect(settle(world)).toContain('web-1 failed: PREPARE_FAILED');
    expect(world.rollout?.state).toBe('halted');
  });
});

describe('a deployment that failed and was fixed on its servers', () => {
  it.each([
    ['without a policy', null],
    ['in waves', { maxParallel: 4, onFailure: 'continue' }],
  ])('%s is proven late', (_, policy) => {
    const world = second(policy, 3);
    settle(world);
    world.sayAll('awaiting');
    settle(world);
    world.say('web-1', 'active');
    world.say('web-3', 'active');
    world.fail('web-2', 'ACTIVATE_FAILED');
    settle(world);
    expect(world.rollout).toMatchObject({ state: 'failed', base: { deployment: 1 } });
    world.say('web-2', 'active');
    expect(settle(world)).toContain('proven');
    expect(world.rollout).toMatchObject({ state: 'proven', base: { deployment: 2, commitId: 'b'.repeat(40) } });
  });

  it('stays failed while one that is missing is offline, and where its commit is in quarantine', () => {
    const world = second(null, 2);
    settle(world);
    world.say('web-1', 'active');
    world.fail('web-2', 'ACTIVATE_FAILED');
    settle(world);
    world.agent('web-2').online = false;
    settle(world);
    expect(world.rollout?.state).toBe('failed');
    world.agent('web-2').online = true;
    world.say('web-2', 'active');
    world.quarantine.push('b'.repeat(40));
    settle(world);
    expect(world.rollout?.state).toBe('failed');
  });
});

describe('an order for thousands of agents', () => {
  it('is several of a bounded size, and each agent gets its permit', () => {
    const world = second({ maxParallel: '100%' }, 2_900);
    settle(world);
    world.sayAll('awaiting');
    const sizes: number[] = [];
    for (let order = plan(world.picture()); order.do !== 'rest'; order = plan(world.picture())) {
      if ('grant' in order) sizes.push(order.grant.length + order.revoke.length);
      world.execute(order);
    }
    expect(Math.max(...sizes)).toBeLessThanOrEqual(1_000);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(2_900);
    expect(world.permitted()).toHaveLength(2_900);
  });
});

describe('an ensemble that was set back', () => {
  const wentBack = (world: World) => {
    world.fail('web-1', 'TARGET_WENT_BACK');
  };
  const leaderSawIt = (world: World) => {
    world.setBack = true;
  };
  const seen: [string, (world: World) => void][] = [
    ['an agent refuses the target as older', wentBack],
    ['the leader saw it itself', leaderSawIt],
  ];
  const stages: [string, Record<string, unknown> | null, (world: World) => void][] = [
    ['before the rollout begins', WAVES, () => {}],
    ['in the canary', WAVES, (world) => settle(world)],
    [
      'in a wave',
      WAVES,
      (world) => {
        settle(world);
        world.sayAll('awaiting');
        settle(world);
        finish(world);
        settle(world);
      },
    ],
    [
      'while it soaks',
      { ...WAVES, soak: '5m' },
      (world) => {
        settle(world);
        world.sayAll('awaiting');
        settle(world);
        finish(world);
        settle(world);
      },
    ],
    ['without a policy', null, (world) => settle(world)],
  ];
  const rows = seen.flatMap(([who, sees]) =>
    stages.map(([when, policy, until]) => ({ who, sees, when, policy, until })),
  );

  it.each(rows)('$when, where $who: no order but the halt, until a person publishes', ({ sees, policy, until }) => {
    const world = second(policy);
    until(world);
    const permits = world.permitted();
    sees(world);
    expect(settle(world)).toContain('ZooKeeper was set back');
    world.setBack = false;
    expect(world.rollout?.state).toBe('halted');
    world.now += 3_600_000;
    settle(world);
    expect(world.rollout?.state).toBe('halted');
    expect(world.permitted()).toEqual(permits);
    expect({ records: world.records.length, quarantine: world.quarantine }).toEqual({ records: 2, quarantine: [] });
    expect(world.records[1]?.outcome ?? null).toBeNull();
    world.publish('b');
    settle(world);
    expect(world.rollout).toMatchObject({ state: 'running', deployment: 3 });
  });

  const resume = (world: World) => {
    const resumed = world.rollout && steer('resume', world.rollout, { by: 'ann', reason: '', at: world.now });
    if (resumed?.do !== 'write') throw new Error(`resume: ${resumed?.do}`);
    world.rollout = resumed.rollout;
  };

  it.each(rows)('$when, where $who: one resume continues it, without the agents that refuse', (row) => {
    const world = second(row.policy);
    row.until(world);
    row.sees(world);
    settle(world);
    expect(world.rollout).toMatchObject({ state: 'halted', setBack: true });
    // The leader goes on seeing what it saw: the person has spoken about that.
    resume(world);
    settle(world);
    const excused = row.sees === wentBack ? ['web-1'] : [];
    expect(world.rollout).toMatchObject({ state: 'running', permits: row.policy !== null, setBack: false, excused });
  });

  it.each(['before the rollout begins', 'while it runs'])('without a policy holds its agents, %s', (when) => {
    const world = second(null, 3);
    if (when === 'while it runs') settle(world);
    wentBack(world);
    settle(world);
    expect(world.rollout).toMatchObject({ state: 'halted', permits: true, policy: null });
  });

  it('is seen again by an agent that refuses after the resume', () => {
    const world = second(WAVES);
    settle(world);
    wentBack(world);
    settle(world);
    resume(world);
    settle(world);
    world.fail('web-3', 'TARGET_WENT_BACK');
    expect(settle(world)).toContain('ZooKeeper was set back (web-3 accepted a newer target before)');
  });

  it('may be what a new leader cannot know: it goes back only after it has watched for a moment', () => {
    const world = second(WAVES);
    settle(world);
    world.sayAll('awaiting');
    settle(world);
    world.fail('web-1', 'HEALTH_FAILED');
    world.watched = 4_000;
    expect(settle(world)).toContain('watches for 5 s before it goes back');
    world.watched = 6_000;
    expect(plan(world.picture())).toMatchObject({ do: 'roll back' });
    // Agents that saw the loss have refused by then.
    world.fail('web-2', 'TARGET_WENT_BACK');
    expect(settle(world)).toContain('ZooKeeper was set back');
    expect({ records: world.records.length, quarantine: world.quarantine }).toEqual({ records: 2, quarantine: [] });
  });

  it('names only the agents that refuse this very target', () => {
    const world = second(WAVES);
    world.fail('web-2', 'TARGET_WENT_BACK');
    world.publish('c');
    settle(world);
    expect(world.rollout?.state).toBe('running');
    world.fail('web-1', 'TARGET_WENT_BACK');
    settle(world);
    expect(world.rollout).toMatchObject({ state: 'halted', failures: [{ agentId: 'web-1' }] });
  });

  it('waits for a readable policy first, and is halted for that loss then', () => {
    const world = second(WAVES);
    world.setBack = true;
    const broken = { value: null, unreadable: 'the policy znode holds something that is no policy' };
    world.execute(plan({ ...world.picture(), policy: broken }));
    expect(world.rollout).toMatchObject({ state: 'halted', setBack: false, policy: null });
    expect(settle(world)).toContain('ZooKeeper was set back');
    expect(world.rollout).toMatchObject({ state: 'halted', setBack: true, policy: { canary: 1 } });
  });
});

describe('time', () => {
  it('makes failed who is not done within the deadline, and takes its permit', () => {
    const world = second({ maxParallel: 2, failureBudget: 1, deadline: '10m' });
    settle(world);
    world.sayAll('awaiting');
    settle(world);
    world.say('web-1', 'active');
    world.say('web-2', 'checking');
    world.now += 601_000;
    settle(world);
    expect(world.rollout).toMatchObject({ late: ['web-2'], wave: 1, members: ['web-3', 'web-4'] });
    expect(world.agent('web-2').permit).toBeNull();
    world.say('web-2', 'active');
    world.say('web-3', 'active');
    world.say('web-4', 'active');
    settle(world);
    expect(world.rollout).toMatchObject({ wave: 2, state: 'running' });
  });

  it('does not run for those who only wait for their permit', () => {
    const world = second({ maxParallel: 1, canary: 3, deadline: '10m' });
    settle(world);
    world.sayAll('awaiting');
    settle(world);
    world.now += 599_000;
    world.say('web-1', 'active');
    settle(world);
    world.now += 599_000;
    expect(settle(world)).toBe('wave 0: waiting for web-2');
    expect(world.rollout?.state).toBe('running');
  });
});

describe('who was done and went away', () => {
  /** The canary of eight is done and soaks; nobody else went. */
  function soaking(policy: Record<string, unknown> = {}): World {
    const world = second({ ...WAVES, soak: '5m', deadline: '2m', ...policy });
    settle(world);
    world.sayAll('awaiting');
    settle(world);
    finish(world);
    settle(world);
    return world;
  }

  function goAway(world: World, id: string): void {
    world.picture();
    world.agent(id).online = false;
  }

  it('takes from the offline budget at once, and nothing soaks meanwhile', () => {
    const world = soaking({ offlineBudget: 0 });
    goAway(world, 'web-1');
    expect(settle(world)).toContain('1 of 8 agents are offline (web-1), the policy allows 0');
    expect(world.rollout).toMatchObject({ wave: 0, soakAt: null });
    world.agent('web-1').online = true;
    world.now += 100_000;
    expect(settle(world)).toBe('wave 0 soaks for 5m');
    expect(world.rollout?.soakAt).toBe(world.now);
  });

  it('of the present wave stops its soak, and has failed at the deadline', () => {
    const world = soaking();
    goAway(world, 'web-1');
    expect(settle(world)).toBe('wave 0: waiting for web-1');
    world.now += 119_000;
    expect(settle(world)).toBe('wave 0: waiting for web-1');
    world.now += 2_000;
    const order = plan(world.picture());
    expect(order).toMatchObject({
      do: 'roll back',
      why: expect.stringContaining('web-1 failed: GONE went away after'),
    });
  });

  it('of the canary stops every later wave too', () => {
    const world = soaking({ soak: '0s' });
    expect(world.rollout?.wave).toBe(1);
    finish(world);
    goAway(world, 'web-1');
    expect(settle(world)).toBe('wave 1: waiting for web-1');
    world.now += 121_000;
    expect(plan(world.picture())).toMatchObject({ do: 'roll back', why: expect.stringContaining('GONE') });
  });

  it('of an earlier wave is missing when the rest is proven', () => {
    const world = second({ maxParallel: 4 });
    settle(world);
    world.sayAll('awaiting');
    settle(world);
    finish(world);
    settle(world);
    goAway(world, 'web-2');
    finish(world);
    settle(world);
    expect(world.rollout?.state).toBe('proven');
    expect(world.records[1]?.outcome).toMatchObject({ reached: 7, missing: [{ agentId: 'web-2', code: 'gone' }] });
  });

  it('and is back before the deadline is done again, however long ago its permit was given', () => {
    const world = soaking({ soak: '1h' });
    world.now += 1_800_000;
    goAway(world, 'web-1');
    world.now += 100_000;
    world.agent('web-1').online = true;
    world.say('web-1', 'verifying');
    expect(settle(world)).toBe('wave 0: waiting for web-1');
    world.say('web-1', 'active');
    expect(settle(world)).toBe('wave 0 soaks for 1h');
  });

  it('is not asked for where there are no waves', () => {
    const world = second(null, 3);
    settle(world);
    world.sayAll('active');
    world.agent('web-2').online = false;
    settle(world);
    expect(world.rollout?.state).toBe('proven');
  });
});

describe('nobody is late', () => {
  function underWay(): World {
    const world = second({ canary: 1, deadline: '10m' });
    settle(world);
    world.sayAll('awaiting');
    settle(world);
    return world;
  }

  it('because of the time before a pause', () => {
    const world = underWay();
    world.say('web-1', 'activating');
    world.now += 599_000;
    if (world.rollout) world.rollout = { ...world.rollout, state: 'paused' };
    world.now += 3_600_000;
    if (world.rollout) world.rollout = { ...world.rollout, state: 'running', waveAt: 0 };
    expect(settle(world)).toBe('wave 0: waiting for web-1');
    world.now += 601_000;
    expect(plan(world.picture()).do).toBe('roll back');
  });

  it('by the word of a leader that has not watched for a minute itself', () => {
    const world = underWay();
    world.now += 3_600_000;
    world.watched = 59_000;
    expect(settle(world)).toBe('wave 0: waiting for web-1');
    world.watched = 60_000;
    expect(plan(world.picture()).do).toBe('roll back');
  });

  it('nor of one that has not watched for the deadline, where that is shorter', () => {
    const world = second({ canary: 1, deadline: '5s' });
    settle(world);
    world.sayAll('awaiting');
    settle(world);
    world.now += 6_000;
    world.watched = 4_000;
    expect(settle(world)).toBe('wave 0: waiting for web-1');
    world.watched = 5_000;
    expect(plan(world.picture()).do).toBe('roll back');
  });
});

describe('agents that are away', () => {
  it('are named, wait for nothing and catch up later', () => {
    const world = second({ maxParallel: 4 });
    world.agent('web-3').online = false;
    settle(world);
    world.sayAll('awaiting');
    settle(world);
    finish(world);
    settle(world);
    finish(world);
    settle(world);
    expect(world.rollout?.state).toBe('proven');
    expect(world.records[1]?.outcome).toMatchObject({
      reached: 7,
      expected: 8,
      missing: [{ agentId: 'web-3', code: 'offline' }],
    });
  });

  it('stop the next wave when they are more than the budget, and let it go on when they are back', () => {
    const world = second({ maxParallel: 4, offlineBudget: 1 });
    world.agent('web-3').online = false;
    world.agent('web-4').online = false;
    world.sayAll('awaiting');
    expect(settle(world)).toContain('2 of 8 agents are offline (web-3, web-4), the policy allows 1');
    expect(world.rollout?.reason).toContain('2 of 8 agents are offline');
    expect(world.permitted()).toEqual([]);
    world.agent('web-4').online = true;
    settle(world);
    expect(world.permitted()).toEqual(
      ['web-1', 'web-2', 'web-5', 'web-6'].filter((id) => world.rollout?.members.includes(id)),
    );
    expect(world.rollout?.reason).toBe('');
  });

  it('leave the budget after seven days', () => {
    const world = second({ maxParallel: 8, offlineBudget: 0 });
    world.agent('web-3').online = false;
    world.agent('web-3').heard = world.now - 7 * 86_400_000 - 1;
    world.sayAll('awaiting');
    settle(world);
    expect(world.permitted()).toHaveLength(7);
  });

  it('with a permit count as in flight until the deadline, then as failed', () => {
    const world = second({ maxParallel: 1, deadline: '10m' });
    settle(world);
    world.sayAll('awaiting');
    settle(world);
    world.agent('web-1').online = false;
    expect(settle(world)).toBe('wave 0: waiting for web-1');
    world.now += 601_000;
    const order = plan(world.picture());
    expect(order).toMatchObject({ do: 'roll back', why: expect.stringContaining('GONE') });
  });

  it('of the canary are replaced, and the canary is the same one at the next try', () => {
    const world = second(WAVES);
    settle(world);
    world.agent('web-1').online = false;
    settle(world);
    expect(world.rollout).toMatchObject({ canary: ['web-2'], members: ['web-2'] });
    world.agent('web-1').online = true;
    settle(world);
    expect(world.rollout?.canary).toEqual(['web-2']);
    world.publish('c');
    settle(world);
    expect(world.rollout?.canary).toEqual(['web-2']);
  });

  it('and those who come late go with a later wave', () => {
    const world = second({ maxParallel: 8 });
    settle(world);
    world.sayAll('awaiting');
    settle(world);
    world.join('web-9');
    finish(world);
    settle(world);
    expect(world.rollout).toMatchObject({ state: 'running', wave: 1, members: ['web-9'] });
  });

  it('and nobody chosen as canary is said', () => {
    const world = second({ canary: 'role=canary' }, { 'web-1': {}, 'web-2': {} });
    expect(settle(world)).toBe('no agent that is online is chosen as canary by role=canary');
    world.join('web-9', { role: 'canary' });
    settle(world);
    expect(world.rollout).toMatchObject({ canary: ['web-9'], members: ['web-9'], reason: '' });
  });

  it('are canary again when they come back with the commit, also where nobody else is chosen', () => {
    const world = second({ canary: 'zone=a' }, { 'web-1': { zone: 'a' }, 'web-2': { zone: 'b' } });
    settle(world);
    world.agent('web-1').online = false;
    expect(settle(world)).toBe('no agent that is online is chosen as canary by zone=a');
    world.agent('web-1').online = true;
    world.say('web-1', 'active'); // It had the commit of its own, from before.
    world.say('web-2', 'awaiting');
    settle(world);
    expect(world.rollout).toMatchObject({ canary: ['web-1'], wave: 1, members: ['web-2'] });
    expect(world.permitted()).toEqual(['web-2']);
  });

  it('are replaced by one that tries it out, not by one that had the commit before', () => {
    const world = second({ canary: 1, maxParallel: '100%' }, 4);
    settle(world);
    expect(world.rollout?.canary).toEqual(['web-1']);
    world.agent('web-1').online = false;
    world.say('web-2', 'active');
    for (const id of ['web-3', 'web-4']) world.say(id, 'awaiting');
    settle(world);
    expect(world.rollout).toMatchObject({ canary: ['web-3'], wave: 0 });
    expect(world.permitted()).toEqual(['web-3']);
  });

  it('or taken out by a person are not waited for', () => {
    const world = second({ maxParallel: 8 }, 3);
    settle(world);
    world.sayAll('awaiting');
    settle(world);
    world.say('web-1', 'suspended');
    world.say('web-2', 'active');
    world.say('web-3', 'active');
    settle(world);
    expect(world.rollout?.state).toBe('proven');
  });
});

describe('another target', () => {
  it('ends the rollout before it, and begins its own with the same base', () => {
    const world = second(WAVES);
    settle(world);
    world.publish('c');
    settle(world);
    expect(world.records[1]?.outcome).toMatchObject({ state: 'superseded', reason: 'd-3 came instead' });
    expect(world.rollout).toMatchObject({ deployment: 3, base: { deployment: 1 }, wave: 0 });
  });

  it('with the same members again goes on where it was, and stays paused', () => {
    const world = second(WAVES);
    settle(world);
    world.sayAll('awaiting');
    settle(world);
    finish(world);
    settle(world);
    expect(world.rollout?.wave).toBe(1);
    const paused = { by: 'ann', reason: 'lunch', at: world.now };
    if (world.rollout) world.rollout = { ...world.rollout, state: 'paused', paused };
    world.publish('b', { via: 'adopted' });
    expect(settle(world)).toBe('paused by ann: lunch');
    expect(world.rollout).toMatchObject({ deployment: 3, wave: 1, canary: ['web-1'], paused, state: 'paused' });
    expect(world.rollout?.targetVersion).toBe(world.targetVersion);
  });

  it.each([
    ['without a policy goes on', null, 1],
    ['with the policy in force goes on', { canary: 1, maxParallel: '25%' }, 1],
    ['with another policy begins anew by that', { canary: 2, soak: '5m' }, 0],
  ] as const)('with the same members again and %s', (_, policy, wave) => {
    const world = second(WAVES);
    settle(world);
    world.sayAll('awaiting');
    settle(world);
    finish(world);
    settle(world);
    world.publish('b', {}, policy && policySchema().parse(policy));
    settle(world);
    const canary = wave === 0 ? ['web-1', 'web-2'] : ['web-1'];
    expect(world.rollout).toMatchObject({ deployment: 3, wave, canary, policy: policySchema().parse(policy ?? WAVES) });
  });

  it('of a foreign writer is adopted first', () => {
    const world = second(WAVES);
    if (world.config) world.config.recorded = false;
    expect(plan(world.picture()).do).toBe('adopt');
    expect(settle(world)).toContain('wave 0');
  });

  it('that nobody can read fails before it began', () => {
    const world = second(WAVES);
    if (world.config) world.config.target = null;
    settle(world);
    expect(world.rollout).toMatchObject({
      state: 'failed',
      reason: 'no agent can read what config holds',
      base: { deployment: 1 },
    });
  });

  it('that is in quarantine halts, also in the middle', () => {
    const world = second(WAVES);
    settle(world);
    world.quarantine.push('b'.repeat(40));
    expect(settle(world)).toContain('halted: the commit is in quarantine: failed');
  });

  it('without a readable policy halts, and starts when the policy is mended', () => {
    const world = second(WAVES);
    const broken = { value: null, unreadable: 'the policy znode holds something that is no policy' };
    world.execute(plan({ ...world.picture(), policy: broken }));
    expect(world.rollout).toMatchObject({ state: 'halted', permits: true, policy: null });
    expect(plan({ ...world.picture(), policy: broken }).do).toBe('rest');
    settle(world);
    expect(world.rollout).toMatchObject({ state: 'running', members: ['web-1'] });
  });
});

it('leaves a rollout alone whose state it does not know', () => {
  const world = second(WAVES);
  const order = plan({ ...world.picture(), rollout: null, unknownState: 'draining' });
  expect(order).toEqual({
    do: 'rest',
    why: 'its rollout is draining, which this version does not know: it is left alone',
  });
});

it('orders nothing twice', () => {
  const world = second(WAVES);
  const seen: Action['do'][] = [];
  for (let n = 0; n < 20; n++) {
    const order = plan(world.picture());
    seen.push(order.do);
    world.execute(order);
  }
  expect(seen).toEqual(['start', ...Array.from({ length: 19 }, () => 'rest')]);
});
