import { expect, it } from 'vitest';
import { keepSecondName } from '../../../agent/coordination/second-name.ts';
import type { Membership } from '../../../zookeeper/recipes/membership.ts';

/** A membership that is in the state that the test says. */
function stated(fence?: bigint) {
  const listeners = new Set<() => void>();
  const member = {
    state: 'joining' as Membership['state'],
    fence,
    left: false,
    held: () => member.state === 'held',
    onChange: (listener: () => void) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    leave: async () => {
      member.left = true;
    },
    enter(state: Membership['state']) {
      member.state = state;
      for (const listener of [...listeners]) listener();
    },
  };
  return member;
}

function setUp() {
  const membership = stated();
  const joined: { name: string; member: ReturnType<typeof stated> }[] = [];
  let changes = 0;
  const second = keepSecondName({
    membership,
    join: (name) => {
      const member = stated(BigInt(joined.length + 7));
      joined.push({ name, member });
      return member as unknown as Membership;
    },
    newName: () => `web-1~${joined.length}`,
    onChange: () => {
      changes += 1;
    },
  });
  return { membership, joined, second, changed: () => changes };
}

it('makes nothing while its own name is free, or held by another process of that name', () => {
  const { membership, joined, second } = setUp();
  for (const state of ['joining', 'held', 'refused', 'held'] as const) membership.enter(state);
  expect([joined.length, second.name, second.fence]).toEqual([0, null, undefined]);
});

it('is present under a drawn name while its own is contested, says so, and no longer than that', async () => {
  const { membership, joined, second, changed } = setUp();
  membership.enter('contested');
  expect([joined.map(({ name }) => name), second.name]).toEqual([['web-1~0'], null]);
  const before = changed();
  joined[0]?.member.enter('held');
  expect([second.name, second.fence]).toEqual(['web-1~0', 7n]);
  expect(changed()).toBeGreaterThan(before);
  membership.enter('held');
  expect([second.name, second.fence]).toEqual([null, undefined]);
  // The next time it is the same, which is held still.
  membership.enter('contested');
  expect([joined.length, second.name]).toEqual([1, 'web-1~0']);
  await second.leave();
  expect(joined[0]?.member.left).toBe(true);
});

it.each(['contested', 'refused'] as const)('draws another one when the second name is %s too', (state) => {
  const { membership, joined, second } = setUp();
  membership.enter('contested');
  joined[0]?.member.enter(state);
  expect(joined.map(({ name, member }) => [name, member.left])).toEqual([
    ['web-1~0', true],
    ['web-1~1', false],
  ]);
  joined[1]?.member.enter('held');
  expect(second.name).toBe('web-1~1');
});
