import {
  chmod,
  chown,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gitOfHooks } from '../../../cli/hook/environment.ts';
import { changeConfig } from '../../../git/host/config-edit.ts';
import { systemClock } from '../../../runtime/clock.ts';
import { git } from '../../support/commands.ts';

let top: string;
let bare: string;
beforeEach(async () => {
  top = await mkdtemp(join(tmpdir(), 'gitfleet-edit-'));
  bare = join(top, 'shop.git');
  await git(top, 'init', '--quiet', '--bare', bare);
});
afterEach(() => rm(top, { recursive: true, force: true }));

const config = () => join(bare, 'config');
const change = (key: string, value: string | null) => changeConfig(gitOfHooks(), bare, (edit) => edit.set(key, value));
const get = (key: string) => git(bare, 'config', key);

describe("a repository's config", () => {
  it('is changed without losing what somebody else changes meanwhile', async () => {
    let looks = 0;
    await changeConfig(gitOfHooks(), bare, async (edit) => {
      looks += 1;
      if (looks <= 2) await git(bare, 'config', `other.n${looks}`, 'theirs');
      await edit.set('own.key', (await edit.read('own.key')).join() + looks);
    });
    expect([looks, await get('own.key'), await get('other.n1'), await get('other.n2')]).toEqual([
      3,
      '3',
      'theirs',
      'theirs',
    ]);
  });

  it('loses nothing of many that are made at once', async () => {
    await Promise.all(Array.from({ length: 8 }, (_, at) => change(`own.key${at}`, String(at))));
    for (let at = 0; at < 8; at += 1) expect(await get(`own.key${at}`)).toBe(String(at));
    expect((await readdir(bare)).filter((name) => name.startsWith('config'))).toEqual(['config']);
  });

  it('keeps its mode and its owner, whoever changes it', async () => {
    expect(process.geteuid?.(), 'only root may give it away').toBe(0);
    await chown(config(), 65_534, 65_534);
    await chmod(config(), 0o664);
    await change('own.key', 'x');
    const { uid, gid, mode } = await stat(config());
    expect({ uid, gid, mode: mode & 0o7777 }).toEqual({ uid: 65_534, gid: 65_534, mode: 0o664 });
  });

  it('stays where it is, where it is a link', async () => {
    await rename(config(), join(top, 'elsewhere'));
    await symlink('../elsewhere', config());
    await change('own.key', 'x');
    expect(await readlink(config())).toBe('../elsewhere');
    expect(await readFile(join(top, 'elsewhere'), 'utf8')).toContain('key = x');
  });

  it('is not touched while its lock stands there, and one says which file that is', async () => {
    const before = await readFile(config(), 'utf8');
    await writeFile(`${config()}.lock`, '');
    const { run, output, sandbox } = gitOfHooks();
    const hasty = { run, output, sandbox: { ...sandbox, clock: { ...systemClock, sleep: async () => {} } } };
    await expect(changeConfig(hasty, bare, (edit) => edit.set('own.key', 'x'))).rejects.toMatchObject({
      code: 'CONFIG_LOCKED',
      message: expect.stringContaining(`${config()}.lock is there`),
    });
    expect(await readFile(config(), 'utf8')).toBe(before);
    // What changes nothing needs no lock.
    await change('own.key', null);
    await rm(`${config()}.lock`);
    await change('own.key', 'x');
    expect(await get('own.key')).toBe('x');
  });

  it('is as it was where the change fails', async () => {
    const before = await readFile(config(), 'utf8');
    const failing = changeConfig(gitOfHooks(), bare, async (edit) => {
      await edit.set('own.key', 'x');
      await edit.set('no such key', 'x');
    });
    await expect(failing).rejects.toThrow();
    expect(await readFile(config(), 'utf8')).toBe(before);
  });
});
