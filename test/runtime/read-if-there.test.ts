import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { codes } from '../../runtime/codes.ts';
import { classify } from '../../runtime/errors.ts';
import { readIfThere } from '../../runtime/read-if-there.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gitfleet-read-'));
});
afterEach(() => rm(directory, { recursive: true }));

it('is the text of a file, and null where there is none', async () => {
  await writeFile(join(directory, 'a'), 'text');
  expect(await readIfThere(join(directory, 'a'))).toBe('text');
  expect(await readIfThere(join(directory, 'b'))).toBeNull();
});

it('does not read a link, a directory, nor more than it may', async () => {
  await writeFile(join(directory, 'a'), 'text');
  await symlink(join(directory, 'a'), join(directory, 'link'));
  await mkdir(join(directory, 'sub'));
  for (const name of ['link', 'sub']) {
    await expect(readIfThere(join(directory, name))).rejects.toMatchObject({ code: 'EFTYPE' });
  }
  await expect(readIfThere(join(directory, 'a'), 3)).rejects.toMatchObject({ code: 'EFBIG' });
  expect(await readIfThere(join(directory, 'a'), 4)).toBe('text');
  await expect(readIfThere(join(directory, 'a', 'below'))).rejects.toMatchObject({ code: 'ENOTDIR' });
});

it('says of what it does not read that the server is the cause, and what to do', async () => {
  await symlink('/dev/null', join(directory, 'link'));
  await writeFile(join(directory, 'a'), 'text');
  const failed = async (name: string, most?: number) =>
    classify(await readIfThere(join(directory, name), most).catch((error) => error));
  expect(await failed('link')).toMatchObject({
    code: 'NOT_A_FILE',
    next: 'retry',
    hint: expect.stringContaining('agent.state'),
  });
  expect(await failed('a', 3)).toMatchObject({ code: 'FILE_TOO_LARGE', next: 'retry' });
  expect([codes().NOT_A_FILE.about, codes().FILE_TOO_LARGE.about]).toEqual(['server', 'server']);
});
