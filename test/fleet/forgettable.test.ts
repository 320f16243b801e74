import { expect, it } from 'vitest';
import { forgettable } from '../../fleet/forget.ts';
import { agent, HOUR, NOW } from '../publisher/fixtures.ts';

it('forgets of many at once those that are offline and reported long ago, and no other', () => {
  const fleet = [
    agent('online', { reportedAt: NOW - 9 * HOUR }),
    agent('old', { online: false, reportedAt: NOW - HOUR }),
    agent('fresh', { online: false, reportedAt: NOW - HOUR + 1 }),
    agent('silent', { online: false, reportedAt: null }),
  ];
  expect(forgettable(fleet, NOW, HOUR)).toMatchObject([{ agentId: 'old' }]);
});
