import { expect, it } from 'vitest';
import { isReceiver } from '../../cli/hook/receiver.ts';

it.each([
  ['its owner', 1000, 1000, true, true],
  ['root, whose repository it is', 0, 0, true, true],
  ['root, who may write everything', 0, 1000, true, false],
  ['one of several who share it', 1001, 1000, true, true],
  ['somebody who may only read it', 1001, 1000, false, false],
])('%s', (_, me, owner, writes, expected) => {
  expect(isReceiver(me, owner, writes)).toBe(expected);
});
