import { createHash } from 'node:crypto';
import {
  chmod,
  chown,
  lchown,
  link,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type InstanceLock, takeInstanceLock } from '../../../agent/disk/instance-lock.ts';
import { type Layout, layoutOf } from '../../../agent/disk/layout.ts';
import { exitCodeOf } from '../../../cli/shell/exit-codes.ts';
import '../../support/lanes/starts-processes.ts';

let top: string;
let layout: Layout;
const taken: InstanceLock[] = [];

beforeEach(async () => {
  top = await mkdtemp(join(tmpdir(), 'gitfleet-ground-'));
  layout = layoutOf(join(top, 'root'), join(top, 'state'), '/app/business');
});
afterEach(async () => {
  for (const ground of taken.splice(0)) await ground.release();
  await rm(top, { recursive: true, force: true });
});

async function take(at = layout, id = 'web-1', waitMs = 0, machineIdFile?: string): Promise<InstanceLock> {
  const ground = await takeInstanceLock(at, id, waitMs, machineIdFile);
  taken.push(ground);
  return ground;
}

const modeOf = async (...path: string[]) => (await stat(join(top, ...path))).mode & 0o777;

describe('directories', () => {
  it('get their modes at every level that was made, whatever the umask', async () => {
    const before = process.umask(0o077);
    const deep = layoutOf(join(top, 'a/b/root'), join(top, 'c/d/state'), '/app/business');
    await take(deep).finally(() => process.umask(before));
    for (const made of ['a', 'a/b', 'a/b/root', 'a/b/root/.gitfleet', 'c', 'c/d']) {
      expect([made, await modeOf(made)]).toEqual([made, 0o755]);
    }
    expect([await modeOf('c/d/state'), await modeOf('c/d/state/apps')]).toEqual([0o700, 0o700]);
    expect(await modeOf('.')).toBe(0o700);
  });

  it.each(['root', 'state'] as const)(
    'where %s is a file, or below one: SETTINGS, which names the file',
    async (name) => {
      const file = join(top, 'file.yml');
      await writeFile(file, 'kept');
      for (const path of [file, join(file, 'a/b')]) {
        const error = await takeInstanceLock({ ...layout, [name]: path }, 'web-1', 0).catch(
          (thrown: unknown) => thrown,
        );
        expect(error).toMatchObject({ code: 'SETTINGS', message: `agent.${name}: ${file} is not a directory` });
        expect(exitCodeOf(error)).toBe(2);
      }
      expect(await readFile(file, 'utf8')).toBe('kept');
    },
  );
});

describe('the state directory', () => {
  const open: [string, number][] = [
    ['everybody', 0o777],
    ['everybody, though it is sticky', 0o1777],
  ];
  it.each(open)('is refused where %s can write to it, and before anything in it is read', async (_, mode) => {
    await mkdir(layout.state);
    await chmod(layout.state, mode);
    const hint = expect.stringContaining(`chmod 700 ${layout.state}`);
    await expect(takeInstanceLock(layout, 'web-1', 0)).rejects.toMatchObject({ code: 'OWNER', hint });
    expect(await readdir(layout.state)).toEqual([]);
  });

  it('is refused where it belongs to another user', async () => {
    await mkdir(layout.state, { mode: 0o700 });
    await chown(layout.state, 12_345, 12_345);
    await expect(takeInstanceLock(layout, 'web-1', 0)).rejects.toMatchObject({ code: 'OWNER' });
  });

  it('is refused at the next look where it is opened to others meanwhile', async () => {
    const lock = await take();
    await lock.renew();
    await chmod(layout.state, 0o777);
    await expect(lock.renew()).rejects.toMatchObject({ code: 'OWNER' });
  });
});

describe('what is removed under a running agent', () => {
  it('is made again where it holds no lock: the releases', async () => {
    const lock = await take();
    await rm(layout.app, { recursive: true });
    await lock.renew();
    expect([await modeOf('root/.gitfleet/app+business/releases'), await modeOf('state')]).toEqual([0o755, 0o700]);
  });

  const ends: [string, () => Promise<unknown>][] = [
    ['the state directory', () => rm(layout.state, { recursive: true })],
    ['the root', () => rm(layout.root, { recursive: true })],
    ['.gitfleet', () => rm(join(layout.root, '.gitfleet'), { recursive: true })],
    ['the journal with its directory', () => rm(layout.appState, { recursive: true })],
    [
      'the lock, which another process made again',
      async () => {
        await rename(join(layout.state, 'lock'), join(layout.state, 'old'));
        await writeFile(join(layout.state, 'lock'), '');
      },
    ],
  ];
  it.each(ends)('is LOCK_LOST where it holds one: %s', async (_, remove) => {
    const lock = await take();
    await remove();
    await expect(lock.renew()).rejects.toMatchObject({ code: 'LOCK_LOST' });
  });
});

describe('the lock', () => {
  it('says STATE_TAKEN only where it is held, and else what flock says', async () => {
    await take();
    await expect(takeInstanceLock(layout, 'web-1', 0)).rejects.toMatchObject({ code: 'STATE_TAKEN' });
    const other = { ...layout, state: join(top, 'other') };
    // A wait below nothing is one of the things that flock ends with an error of its own for.
    const failed = takeInstanceLock(other, 'web-1', -1_000);
    await expect(failed).rejects.toMatchObject({
      code: 'LOCK_FAILED',
      message: expect.stringContaining('71: flock: '),
    });
  });
});

describe('the machine', () => {
  const NONE = '/nonexistent/machine-id';
  const owner = () => readFile(join(layout.root, '.gitfleet/owner'), 'utf8');

  it('is named by the state directory where it has no name of its own, so that a reboot changes nothing', async () => {
    await (await take(layout, 'web-1', 0, NONE)).release();
    const name = (await readFile(join(layout.state, 'machine'), 'utf8')).trim();
    expect(await modeOf('state/machine')).toBe(0o600);
    // Nothing but what is kept takes part: a boot id here would be another one tomorrow.
    const digest = createHash('sha256').update(`web-1 ${name}`).digest('hex').slice(0, 16);
    expect(await owner()).toBe(`web-1 ${digest}\n`);
    await (await take(layout, 'web-1', 0, NONE)).release();
    const copy = { ...layout, state: join(top, 'copy') };
    await expect(takeInstanceLock(copy, 'web-1', 0, NONE)).rejects.toMatchObject({ code: 'ROOT_TAKEN' });
  });

  it.each(['', 'uninitialized\n'])('has no name where its file says %j', async (text) => {
    await writeFile(join(top, 'machine-id'), text);
    await take(layout, 'web-1', 0, join(top, 'machine-id'));
    expect(await modeOf('state/machine')).toBe(0o600);
  });

  it('is named by /etc/machine-id where there is one', async () => {
    await writeFile(join(top, 'machine-id'), `${'a1'.repeat(16)}\n`);
    await take(layout, 'web-1', 0, join(top, 'machine-id'));
    await expect(modeOf('state/machine')).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

describe('a root that somebody prepared', () => {
  const secret = () => join(top, 'secret');
  const ownerFile = () => join(layout.root, '.gitfleet/owner');
  beforeEach(async () => {
    await mkdir(join(layout.root, '.gitfleet'), { recursive: true });
    await writeFile(secret(), 'hunter2 is the password\n');
    await chmod(secret(), 0o600);
  });

  async function refusedWith(code: string): Promise<void> {
    const said = await takeInstanceLock(layout, 'web-1', 0).then(
      async (ground) => await ground.release(),
      (error: Error) => error,
    );
    expect(said).toMatchObject({ code });
    expect(String(said)).not.toContain('hunter2');
    expect(await readFile(secret(), 'utf8')).toBe('hunter2 is the password\n');
    expect(await modeOf('secret')).toBe(0o600);
  }

  it.each([
    ['a link', () => symlink(secret(), ownerFile())],
    ['a second name', () => link(secret(), ownerFile())],
    ['a directory', () => mkdir(ownerFile())],
  ])('where the owner file is %s: OWNER, and what it leads to stays as it is', async (_, put) => {
    await put();
    await refusedWith('OWNER');
  });

  it('where .gitfleet is a file: NOT_DIR', async () => {
    await rename(join(top, 'root/.gitfleet'), join(top, 'away'));
    await writeFile(join(top, 'root/.gitfleet'), '');
    await refusedWith('NOT_DIR');
  });

  it('where .gitfleet is a link: SYMLINK', async () => {
    await rename(join(top, 'root/.gitfleet'), join(top, 'away'));
    await symlink(join(top, 'away'), join(top, 'root/.gitfleet'));
    await refusedWith('SYMLINK');
  });

  it('where the root is a link of another user: SYMLINK; one of its own is followed', async () => {
    expect(process.getuid?.(), 'only root may give a link away').toBe(0);
    await rename(layout.root, join(top, 'away'));
    await symlink(join(top, 'away'), layout.root);
    await (await takeInstanceLock(layout, 'web-1', 0)).release();
    await lchown(layout.root, 4242, 4242);
    await refusedWith('SYMLINK');
  });

  it.each(['root', 'root/.gitfleet', 'root/.gitfleet/owner'])('where %s is of another user: OWNER', async (name) => {
    expect(process.getuid?.(), 'only root may give it away').toBe(0);
    await writeFile(ownerFile(), '');
    await chown(join(top, name), 4242, 4242);
    await refusedWith('OWNER');
  });

  it('says "somebody else" where the owner file holds what we never wrote, and the name where we did', async () => {
    await writeFile(ownerFile(), await readFile(secret()));
    await expect(takeInstanceLock(layout, 'web-1', 0)).rejects.toMatchObject({
      code: 'ROOT_TAKEN',
      message: `${layout.root} belongs to somebody else`,
    });
    await writeFile(ownerFile(), `web-2 ${'0'.repeat(16)}\n`);
    await expect(takeInstanceLock(layout, 'web-1', 0)).rejects.toMatchObject({
      message: `${layout.root} belongs to agent web-2 of another machine`,
    });
  });
});
