import { EventEmitter } from 'node:events';
import { expect, it } from 'vitest';
import { takeInterrupt } from '../../cli/shell/interrupt.ts';
import { createVirtualClock } from '../support/virtual-clock.ts';

const never = new Promise<string>(() => {});

function pressable() {
  const clock = createVirtualClock();
  const source = new EventEmitter();
  const told: string[] = [];
  const interrupt = takeInterrupt(clock, source, (words) => told.push(words));
  return { told, clock, source, interrupt, press: () => source.emit('SIGINT') };
}

it('before anything was sent: nothing is sent any more, and that is said', async () => {
  const { interrupt, press, clock } = pressable();
  const outcome = expect(interrupt.outcomeOf(never)).rejects.toMatchObject({
    code: 'INTERRUPTED',
    message: 'nothing was written',
  });
  press();
  expect(() => interrupt.beforeWrite(31)).toThrow('nothing was written');
  await clock.run(5_000);
  await outcome;
});

it('after it was sent: an answer that comes is the outcome, none is said to be none', async () => {
  const { interrupt, press, clock } = pressable();
  interrupt.beforeWrite(31);
  let answer = (_: string) => {};
  const answered = interrupt.outcomeOf(new Promise<string>((resolve) => (answer = resolve)));
  press();
  await clock.run(1_000);
  answer('published');
  expect(await answered).toBe('published');

  const outcome = expect(interrupt.outcomeOf(never)).rejects.toMatchObject({
    code: 'INTERRUPTED',
    message: 'ZooKeeper has not answered: d-31 may be published',
  });
  await clock.run(10_000);
  await outcome;
  expect(interrupt.signal.aborted).toBe(true);
});

it("without Ctrl-C there is no end to waiting, and afterwards it is nobody's", async () => {
  const { interrupt, source, clock, told } = pressable();
  interrupt.beforeWrite(31);
  let known = false;
  interrupt.outcomeOf(never).finally(() => (known = true));
  await clock.run(3_600_000);
  expect(known).toBe(false);
  expect(told).toEqual(['no answer about d-31 yet; checking whether it is published']);
  interrupt.release();
  expect(source.listenerCount('SIGINT')).toBe(0);
});
