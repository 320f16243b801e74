import { expect, it } from 'vitest';
import { onAbort } from '../../zookeeper/abortable.ts';

it('many wait for one signal: each is told once, who took it back is not, and Node warns of no leak', async () => {
  const warnings: string[] = [];
  const note = (warning: Error) => warnings.push(warning.name);
  process.on('warning', note);
  const stop = new AbortController();
  const told: number[] = [];
  const takeBack = Array.from({ length: 30 }, (_, at) => onAbort(stop.signal, () => told.push(at)));
  for (const at of [0, 29]) takeBack[at]?.();
  stop.abort();
  stop.abort();
  await new Promise((resolve) => setImmediate(resolve));
  process.off('warning', note);
  expect(told).toEqual(Array.from({ length: 28 }, (_, at) => at + 1));
  expect(warnings).toEqual([]);
});

it('one that is told may take back its neighbour, and who comes then is too late', () => {
  const stop = new AbortController();
  const told: string[] = [];
  onAbort(stop.signal, () => {
    told.push('first');
    takeBack();
    onAbort(stop.signal, () => told.push('never: it has fired'));
  });
  const takeBack = onAbort(stop.signal, () => told.push('second'));
  stop.abort();
  expect(told).toEqual(['first']);
});
