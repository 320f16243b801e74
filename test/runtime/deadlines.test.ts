import { expect, it } from 'vitest';
import { type Timed, watchDeadlines } from '../../runtime/deadlines.ts';
import { createVirtualClock } from '../support/virtual-clock.ts';

function scene() {
  const clock = createVirtualClock();
  let timers = 0;
  const counting = {
    ...clock,
    after(ms: number, action: () => void) {
      timers++;
      let over = false;
      const once = () => {
        if (!over) timers--;
        over = true;
      };
      const cancel = clock.after(ms, () => {
        once();
        action();
      });
      return () => {
        once();
        cancel();
      };
    },
  };
  const deadlines = watchDeadlines(counting);
  const told: [string, number][] = [];
  const at = (deadline: number, name = String(deadline), also = () => {}): Timed => {
    const timed: Timed = {
      deadline,
      before: undefined,
      after: undefined,
      late() {
        told.push([name, clock.monotonic()]);
        also();
      },
    };
    deadlines.watch(timed);
    return timed;
  };
  return { clock, deadlines, told, at, timers: () => timers };
}

it('whoever is late hears it at its deadline, in whatever order they came, on one timer', async () => {
  const { clock, told, at, timers } = scene();
  for (const deadline of [500, 100, 300, 100, 900, 200]) at(deadline);
  expect(timers()).toBe(1);
  await clock.run(10_000);
  expect(told.map(([name, when]) => Number(name) - when)).toEqual([0, 0, 0, 0, 0, 0]);
  expect(told.map(([name]) => name)).toEqual(['100', '100', '200', '300', '500', '900']);
  expect(timers()).toBe(0);
});

it('whoever is over hears nothing, first, last or between, and twice over is over', async () => {
  const { clock, deadlines, told, at } = scene();
  const all = [100, 200, 300, 400, 500].map((deadline) => at(deadline));
  for (const gone of [0, 2, 4, 2, 0]) deadlines.over(all[gone] as Timed);
  await clock.run(10_000);
  expect(told.map(([name]) => name)).toEqual(['200', '400']);
});

it('one that is told may end another that is late in the same instant, or start a new one', async () => {
  const { clock, deadlines, told, at } = scene();
  const other = { timed: undefined as Timed | undefined };
  at(100, 'first', () => {
    deadlines.over(other.timed as Timed);
    at(150, 'new');
  });
  other.timed = at(100, 'ended');
  at(100, 'same instant');
  await clock.run(10_000);
  expect(told).toEqual([
    ['first', 100],
    ['same instant', 100],
    ['new', 150],
  ]);
});

it('after close no timer stays when nothing is watched any more', () => {
  const { deadlines, at, timers } = scene();
  const last = at(10_000);
  deadlines.over(at(500));
  expect(timers()).toBe(1);
  deadlines.close();
  expect(timers()).toBe(1);
  deadlines.over(last);
  expect(timers()).toBe(0);
});
