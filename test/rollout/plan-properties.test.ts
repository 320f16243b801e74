import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { plan } from '../../rollout/plan.ts';
import { amountOf } from '../../schemas/policy.ts';
import { QUICK, SEED, seeded } from '../support/seeded.ts';
import { World } from './observed-fleet.ts';

/** A policy as people write them; a soak and a deadline of minutes. */
const policies = fc.record({
  canary: fc.constantFrom(undefined, 1, 2, '20%', 'zone=a'),
  maxParallel: fc.constantFrom(1, 2, '25%', '50%', '100%'),
  byLabel: fc.constantFrom(undefined, 'zone'),
  soak: fc.constantFrom('0s', '5m'),
  failureBudget: fc.constantFrom(0, 1, '25%'),
  offlineBudget: fc.constantFrom(0, 1, '50%', '100%'),
  deadline: fc.constant('10m'),
  onFailure: fc.constantFrom('rollback', 'pause', 'continue'),
});

const scripts = fc.record({
  agents: fc.integer({ min: 1, max: 9 }),
  policy: policies,
  seed: fc.integer(),
  /** In percent of the turns. */
  failing: fc.constantFrom(0, 0, 5, 30),
  leaving: fc.constantFrom(0, 0, 10),
  publishing: fc.constantFrom(0, 0, 3),
  /** Shows the target without a permit: it had it from before. */
  ahead: fc.constantFrom(0, 0, 3),
});
type Script = typeof scripts extends fc.Arbitrary<infer T> ? T : never;

interface Run {
  readonly world: World;
  /** Words of each order, for the failure message. */
  readonly orders: string[];
}

/**
 * Agents, servers and publishers do what they like for a while; then they are well, and time goes on.
 * @param ill the share of turns in which an agent without a permit fails or is stuck; who has one is then quick.
 */
function run(script: Script, afterEachOrder: (world: World) => void, ill = 0): Run {
  const random = seeded(script.seed);
  const zones = ['a', 'b', 'c'];
  const names = Array.from({ length: script.agents }, (_, n) => [`web-${n + 1}`, { zone: zones[n % 3] as string }]);
  const world = new World(null, Object.fromEntries(names));
  const orders: string[] = [];
  world.publish('a');
  turn(world);
  world.sayAll('active');
  turn(world);
  world.policy = new World(defined(script.policy), 0).policy;
  world.publish('b');

  function turn(of: World): void {
    for (let n = 0; n < 100; n++) {
      const order = plan(of.picture());
      orders.push(`${order.do}: ${order.why}`);
      expect(order.why).not.toBe('');
      if (order.do === 'rest') return;
      of.execute(order);
      afterEachOrder(of);
    }
    throw new Error(`the plan does not come to rest: ${orders.slice(-6).join(' | ')}`);
  }

  let letter = 'b'.charCodeAt(0);
  for (let n = 0; n < 40; n++) {
    world.now += random.below(200_000);
    for (const agent of world.agents.values()) {
      if (random.often(script.leaving / 100)) agent.online = !agent.online;
      if (agent.online) agent.heard = world.now;
      if (agent.online && random.often(script.ahead / 100)) world.say(agent.agentId, 'active');
      const permitted = agent.permit?.targetVersion === world.targetVersion;
      if (ill > 0 && !permitted && random.often(ill)) {
        if (agent.report?.phase !== 'active' && random.often(0.3)) world.fail(agent.agentId, 'NO_SPACE');
      } else if (ill > 0 && permitted) {
        for (let step = 0; step < 2; step++) act(world, agent.agentId, false);
      } else if (agent.online && random.often(0.6)) act(world, agent.agentId, random.often(script.failing / 100));
    }
    if (random.often(script.publishing / 100)) world.publish(String.fromCharCode(++letter > 102 ? 98 : letter));
    turn(world);
  }
  for (const agent of world.agents.values()) agent.online = true;
  for (let n = 0; n < 80; n++) {
    world.now += 60_000;
    for (const agent of world.agents.values()) {
      agent.heard = world.now;
      act(world, agent.agentId, false);
    }
    turn(world);
  }
  return { world, orders };
}

/** One step of an agent, by the agents' rule. */
function act(world: World, agentId: string, fails: boolean): void {
  const agent = world.agent(agentId);
  const report = agent.report?.targetVersion === world.targetVersion ? agent.report : null;
  if (report?.phase === 'active' || report?.phase === 'failed') return;
  // A rollout of another target says nothing about this one.
  const state = world.rollout?.targetVersion === world.targetVersion ? world.rollout.state : null;
  const permitted = agent.permit?.targetVersion === world.targetVersion && (state === 'running' || state === 'paused');
  if (report?.phase === 'activating' && fails) world.fail(agentId);
  else if (report?.phase === 'activating') world.say(agentId, 'active');
  else if (permitted || state === 'proven') world.say(agentId, 'activating');
  else if (report?.phase !== 'awaiting') world.say(agentId, 'awaiting');
}

const defined = (policy: Script['policy']) =>
  Object.fromEntries(Object.entries(policy).filter(([, value]) => value !== undefined));

const RUNS = QUICK ? 60 : 300;

describe(`whatever agents, servers and publishers do (seed ${SEED})`, () => {
  it('never are more agents between permit and report than the policy allows', () => {
    fc.assert(
      fc.property(scripts, (script) => {
        run(script, (world) => {
          const { rollout } = world;
          if (!rollout?.policy) return;
          const most = Math.max(1, amountOf(rollout.policy.maxParallel, world.agents.size));
          const open = [...world.agents.values()].filter(
            ({ permit, report }) =>
              permit?.targetVersion === rollout.targetVersion &&
              !(report?.targetVersion === rollout.targetVersion && ['active', 'failed'].includes(report.phase)),
          );
          expect(open.length).toBeLessThanOrEqual(most);
        });
      }),
      { seed: SEED, numRuns: RUNS },
    );
  });

  it('it ends proven, failed or rolled back, or says what it waits for', () => {
    fc.assert(
      fc.property(scripts, (script) => {
        const { world, orders } = run(script, () => {});
        const { state, reason } = world.rollout ?? {};
        const ended = state === 'proven' || state === 'failed' || (state === 'halted' && reason !== '');
        expect(ended, `${state}: ${orders.slice(-5).join(' | ')}`).toBe(true);
      }),
      { seed: SEED, numRuns: RUNS },
    );
  });

  it('a commit is in quarantine only where an agent that had leave to activate it failed', () => {
    fc.assert(
      fc.property(scripts, (script) => {
        // Disks are full and the origin is away, but whoever has a permit and activates is well, and in time.
        const { world, orders } = run({ ...script, failing: 0, leaving: 0 }, () => {}, 0.2);
        expect(world.quarantine, orders.slice(-5).join(' | ')).toEqual([]);
      }),
      { seed: SEED, numRuns: RUNS },
    );
  });

  it('nothing but a person publishes after a rollback', () => {
    fc.assert(
      fc.property(scripts, (script) => {
        const { world } = run(script, () => {});
        for (const [at, record] of world.records.entries()) {
          if (record.via === 'rollback') expect(world.records[at + 1]?.via ?? 'publish').toBe('publish');
        }
      }),
      { seed: SEED, numRuns: RUNS },
    );
  });
});
