import { expect, it } from 'vitest';
import { createSetBackWatch } from '../../rollout/set-back.ts';
import type { TargetVersion } from '../../schemas/values.ts';

const version = (text: string) => text as TargetVersion;

it('knows the target that an ensemble shows right after it lost writes, and no later one', () => {
  let incarnation = 1;
  const watch = createSetBackWatch(() => incarnation);
  expect(watch.look(version('9.900'))).toBe(false);
  incarnation = 2;
  expect(watch.look(version('5.500'))).toBe(true);
  expect(watch.look(version('5.500'))).toBe(true);
  expect(watch.look(version('6.950'))).toBe(false);
  expect(watch.look(version('5.500'))).toBe(false);
});

it('says so until it is in the record, so that a person can be heard about it', () => {
  let incarnation = 1;
  const watch = createSetBackWatch(() => incarnation);
  incarnation = 2;
  expect(watch.look(version('5.500'))).toBe(true);
  watch.told();
  expect(watch.look(version('5.500'))).toBe(false);
});
