import { describe, expect, it } from 'vitest';
import { type MaintenanceTimes, taskDue, timesAt } from '../../agent/maintenance-plan.ts';

const NEVER: MaintenanceTimes = {
  ...{ active: null, settledFor: null, settledAt: 0, fleetDoneAt: null, inspectedAt: null, tidiedAt: 0, restUntil: 0 },
};
const TO_DO = { spareIsActive: false, superfluous: [] };
const SECOND = 1_000;

/** When the first task is due, if the fleet is seen deploying, or not, at these seconds; the first look settles. */
function dueAt(looks: readonly (readonly [second: number, fleetDeploys: boolean])[]): number {
  const seen = { active: 'a', settledFor: '1.1' };
  let times = NEVER;
  for (const [second, fleetDeploys] of looks) times = timesAt(times, { ...seen, fleetDeploys }, second * SECOND);
  for (let now = (looks.at(-1)?.[0] ?? 0) * SECOND; ; ) {
    const due = taskDue(times, TO_DO, 600 * SECOND, now);
    if ('do' in due) return now / SECOND;
    now += due.inMs;
  }
}

describe('what follows a deployment', () => {
  it('begins a moment after the commit settled, if no rollout is known', () => {
    expect(dueAt([[100, false]])).toBe(101.5);
    expect(dueAt([[100, false], [101, false]])).toBe(101.5); // biome-ignore format: a table
  });

  it('waits while other agents deploy, and begins a moment after the rollout ended', () => {
    expect(dueAt([[100, true], [107, false]])).toBe(108.5); // biome-ignore format: a table
    // The rollout was not written yet when this agent settled.
    expect(dueAt([[100, false], [101, true], [107, false]])).toBe(108.5); // biome-ignore format: a table
  });

  it('waits for the fleet a minute at most', () => {
    expect(dueAt([[100, true]])).toBe(161.5);
    expect(dueAt([[100, true], [3_700, false]])).toBe(3_700); // biome-ignore format: a table
    expect(dueAt([[100, false], [159, true], [159.5, false]])).toBe(161); // biome-ignore format: a table
  });

  it('begins again with a new target, even of the same commit', () => {
    const seen = { active: 'a', settledFor: '1.1', fleetDeploys: false };
    const settled = { ...timesAt(NEVER, seen, 0), inspectedAt: 2 * SECOND };
    expect(timesAt(settled, seen, 50 * SECOND)).toEqual(settled);
    const again = timesAt(settled, { ...seen, settledFor: '2.2' }, 50 * SECOND);
    expect(taskDue(again, { ...TO_DO, spareIsActive: true }, 600 * SECOND, 60 * SECOND)).toEqual({ do: 'inspect' });
  });
});
