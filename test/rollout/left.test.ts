import { expect, it } from 'vitest';
import { plan } from '../../rollout/plan.ts';
import { World } from './observed-fleet.ts';

/** Four of seven are offline when their turn comes, and the policy allows one: what the leader then waits for. */
function withGone(left: boolean): { world: World; why: string } {
  const world = new World({ maxParallel: '100%', offlineBudget: 1 }, 7);
  world.publish('a');
  for (const id of ['web-4', 'web-5', 'web-6', 'web-7']) {
    world.agent(id).online = false;
    world.say(id, 'active', { targetVersion: '1.1', left });
  }
  for (const id of ['web-1', 'web-2', 'web-3']) world.say(id, 'awaiting');
  for (let n = 0; n < 50; n += 1) {
    const order = plan(world.picture());
    world.execute(order);
    if (order.do === 'rest') return { world, why: order.why };
  }
  throw new Error('the plan does not come to rest');
}

it('who left for good is neither waited for nor counted against the offline budget', () => {
  const { world } = withGone(true);
  expect(world.permitted()).toEqual(['web-1', 'web-2', 'web-3']);
  // Back again it takes part as any other.
  world.agent('web-4').online = true;
  for (const id of ['web-1', 'web-2', 'web-3']) world.say(id, 'active');
  world.execute(plan(world.picture()));
  expect(world.rollout?.state).toBe('running');
});

it('who is only away is, and the words name the verb that ends it', () => {
  const { world, why } = withGone(false);
  expect(world.permitted()).toEqual([]);
  expect(why).toContain('4 of 7 agents are offline (web-4, web-5, web-6, web-7)');
  expect(why).toContain('gitfleet forget');
});

it('without a policy, who left for good after it had reported is not waited for either', () => {
  const world = new World(null, 3);
  world.publish('a');
  world.execute(plan(world.picture()));
  world.sayAll('active');
  world.say('web-2', 'fetching', { left: true });
  world.say('web-3', 'active', { left: true });
  for (const id of ['web-2', 'web-3']) world.agent(id).online = false;
  world.execute(plan(world.picture()));
  expect(world.rollout).toMatchObject({ state: 'proven', base: { deployment: 1 } });
  expect(world.records[0]?.outcome).toMatchObject({ state: 'proven', reached: 1, expected: 1, missing: [] });
});
