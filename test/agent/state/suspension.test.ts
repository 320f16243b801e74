import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { dropSuspension, readSuspension, SUSPENSION_FILE, writeSuspension } from '../../../agent/state/suspension.ts';

let directory: string;
let file: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gitfleet-suspension-'));
  file = join(directory, SUSPENSION_FILE);
});
afterEach(() => rm(directory, { recursive: true }));

it('is what was written, and none where there is no file', async () => {
  expect(await readSuspension(directory)).toBeNull();
  await writeSuspension(directory, { by: 'ann', reason: 'disk', at: 5 });
  expect(await readSuspension(directory)).toEqual({ by: 'ann', reason: 'disk', at: 5 });
  await dropSuspension(directory);
  expect(await readSuspension(directory)).toBeNull();
});

const unreadable: [string, () => Promise<unknown>][] = [
  ['is no JSON', () => writeFile(file, 'suspended')],
  ['has other members', () => writeFile(file, '{"since": 5}')],
  ['is a link', () => symlink('/dev/null', file)],
  ['is a link to nothing', () => symlink(join(directory, 'gone'), file)],
  ['is a directory', () => mkdir(file)],
  ['is larger than any', () => writeFile(file, Buffer.alloc(17 * 1024 * 1024, ' '))],
];
it.each(unreadable)('holds where its file %s', async (_, make) => {
  await make();
  expect(await readSuspension(directory)).toMatchObject({ reason: `${SUSPENSION_FILE} cannot be read` });
});
