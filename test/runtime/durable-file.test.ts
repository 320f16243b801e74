import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { writeDurably } from '../../runtime/durable-file.ts';
import { classify } from '../../runtime/errors.ts';

/** What may lie where a file is written aside: the half of an earlier process is replaced, another's is not touched. */
let top: string;
let file: string;
let aside: string;
beforeEach(async () => {
  top = await mkdtemp(join(tmpdir(), 'gitfleet-durable-'));
  file = join(top, 'file');
  aside = `${file}.new`;
});
afterEach(() => rm(top, { recursive: true }));

const failureOf = () => writeDurably(file, 'whole').then(() => null, classify);

it.each([
  ['half of a file', () => writeFile(aside, 'wh', { mode: 0o400 })],
  ['a link to nothing', () => symlink('/nowhere', aside)],
  ['a link to itself', () => symlink(aside, aside)],
])('%s is replaced', async (_, put) => {
  await put();
  expect(await failureOf()).toBeNull();
  expect(await readFile(file, 'utf8')).toBe('whole');
  expect(await readdir(top)).toEqual(['file']);
});

it('a link to a file of another is replaced, and that file is not touched', async () => {
  await writeFile(join(top, 'other'), 'theirs');
  await symlink(join(top, 'other'), aside);
  expect(await failureOf()).toBeNull();
  expect(await readFile(join(top, 'other'), 'utf8')).toBe('theirs');
});

it.each([
  ['an empty directory', []],
  ['a directory that holds something', ['theirs']],
])('%s is not touched: the code names it, the old file stays, and it is written after its removal', async (_, held) => {
  await writeFile(file, 'old');
  await mkdir(aside);
  for (const name of held) await writeFile(join(aside, name), '');
  expect(await failureOf()).toMatchObject({ code: 'NOT_A_FILE', message: expect.stringContaining(aside) });
  expect(await readdir(aside)).toEqual(held);
  expect(await readFile(file, 'utf8')).toBe('old');
  await rm(aside, { recursive: true });
  expect(await failureOf()).toBeNull();
});
