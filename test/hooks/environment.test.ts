import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { hookPath, isReceiver, namedRepository, onceMore } from '../../cli/hook/environment.ts';
import { createGit, DEFAULT_PATH } from '../../git/run/process.ts';
import { systemClock as clock } from '../../runtime/clock.ts';
import { silentLog as log } from '../support/log.ts';
import '../support/lanes/starts-processes.ts';

describe('a git that was ended by a signal', () => {
  let top: string;
  beforeEach(async () => {
    top = await mkdtemp(join(tmpdir(), 'gitfleet-git-'));
  });
  afterEach(() => rm(top, { recursive: true, force: true }));

  /** A git that is ended as often as there are files to remove, and then answers. */
  async function git(times: number) {
    for (let at = 0; at < times; at += 1) await writeFile(join(top, `fail-${at}`), '');
    const script = `#!/bin/sh\nfor each in ${top}/fail-*; do [ -e "$each" ] && rm "$each" && kill -INT $$; done\necho well\n`;
    await writeFile(join(top, 'git'), script, { mode: 0o755 });
    return onceMore(createGit({ clock, log, path: `${top}:${DEFAULT_PATH}` }));
  }

  it('is asked once more', async () => {
    expect(await (await git(1)).output(['version'])).toBe('well\n');
    expect((await (await git(1)).run(['version'])).stdout.toString()).toBe('well\n');
  });

  it('is not asked for ever', async () => {
    await expect((await git(2)).output(['version'])).rejects.toMatchObject({ code: 'GIT_KILLED' });
  });
});

describe('the PATH of an installed hook', () => {
  it('begins with the git of the installation, unless that is the one that every system finds', async () => {
    const top = await mkdtemp(join(tmpdir(), 'gitfleet-path-'));
    onTestFinished(() => rm(top, { recursive: true, force: true }));
    const directory = (name: string) => join(top, name);
    for (const name of ['usual', 'newer', 'no-program', 'none', 'linked']) await mkdir(directory(name));
    for (const name of ['usual', 'newer'])
      await writeFile(join(directory(name), 'git'), '#!/bin/sh\n', { mode: 0o755 });
    await writeFile(join(directory('no-program'), 'git'), '', { mode: 0o644 });
    await symlink(join(directory('usual'), 'git'), join(directory('linked'), 'git'));
    const always = `${directory('none')}:${directory('usual')}`;
    const path = (...names: string[]) => hookPath(names.map(directory).join(':'), always);
    expect(path('none', 'no-program', 'newer', 'usual')).toBe(`${directory('newer')}:${always}`);
    for (const same of [path('usual', 'newer'), path('linked'), path('none'), hookPath('.', always)]) {
      expect(same).toBe(always);
    }
  });
});

describe('the repository that is named for a hook', () => {
  it('is no clone with a work tree: that is not where pushes go', async () => {
    const top = await mkdtemp(join(tmpdir(), 'gitfleet-clone-'));
    onTestFinished(() => rm(top, { recursive: true, force: true }));
    expect(await namedRepository(top)).toBe(await realpath(top));
    expect(await namedRepository(join(top, 'nothing'))).toBe(join(top, 'nothing'));
    await mkdir(join(top, '.git'));
    await expect(namedRepository(top)).rejects.toMatchObject({
      code: 'NOT_A_REPOSITORY',
      message: `${top} is a clone with a work tree, and pushes deploy from a bare repository`,
      hint: expect.stringContaining('git init --bare'),
    });
  });
});

describe('a credential that this user can read can be read by whoever receives the pushes', () => {
  it.each([
    ['its owner', 1000, 1000, true, true],
    ['root, whose repository it is', 0, 0, true, true],
    ['root, who may write everything', 0, 1000, true, false],
    ['one of several who share it', 1001, 1000, true, true],
    ['somebody who may only read it', 1001, 1000, false, false],
  ])('%s', (_, me, owner, writes, expected) => {
    expect(isReceiver(me, owner, writes)).toBe(expected);
  });
});
