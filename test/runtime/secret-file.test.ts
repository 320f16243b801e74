import { expect, it } from 'vitest';
import { isOpenToOthers } from '../../runtime/secrets/secret-file.ts';

it.each([
  ['our own, 0600', 0o100600, 1000, 1000, false],
  ['our own, read by its group', 0o100640, 1000, 1000, true],
  ['our own, read by everyone', 0o100644, 1000, 1000, true],
  ['of root, read by our group', 0o100440, 0, 1000, false],
  ['of root, 0640', 0o100640, 0, 1000, false],
  ['of root, written by a group', 0o100660, 0, 1000, true],
  ['of root, read by everyone', 0o100444, 0, 1000, true],
  ['of root, read by a group, where we are root', 0o100640, 0, 0, true],
  ['of another user, read by a group', 0o100640, 2000, 1000, true],
])('a secret that is %s', (_, mode, uid, me, expected) => {
  expect(isOpenToOthers({ mode, uid }, me)).toBe(expected);
});
