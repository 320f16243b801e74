import { chmod, chown, mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { inspectLink, type Layout, layoutOf } from '../../../agent/disk/layout.ts';
import { swapLink } from '../../../agent/disk/releases.ts';
import { classify } from '../../../runtime/errors.ts';
import type { CommitId, RelativePath } from '../../../schemas/values.ts';

const COMMIT = 'c'.repeat(40) as CommitId;
const uid = process.getuid?.() ?? 0;
let top: string;
let layout: Layout;

beforeEach(async () => {
  top = await mkdtemp(join(tmpdir(), 'gitfleet-place-'));
  layout = layoutOf(join(top, 'root'), join(top, 'root', 'var', 'state'), '/app/business');
  await mkdir(join(layout.releases, COMMIT), { recursive: true });
  await mkdir(layout.state, { recursive: true });
});
afterEach(() => rm(top, { recursive: true, force: true }));

const inspect = (path: string, ours: string[] = []) => inspectLink(layout, path as RelativePath, ours, uid);
const at = (path: string) => join(layout.root, path);

describe('a place that may be ours', () => {
  it('is absent, also where its parents are', async () => {
    expect(await inspect('shop')).toBe(null);
    expect(await inspect('web/eu/shop')).toBe(null);
    expect(await readdir(layout.root)).toEqual(['.gitfleet', 'var']);
  });

  it('is our own link, and then says what it shows', async () => {
    await swapLink(layout, 'web/shop' as RelativePath, COMMIT);
    expect(await inspect('web/shop')).toBe(COMMIT);
  });
});

describe('a link that a crash, or somebody else, left in our way', () => {
  const aside = () => at('.shop.gitfleet-new');

  it.each([
    ['a link to nothing', () => symlink('gone', aside())],
    ['a file', () => writeFile(aside(), 'half')],
  ])('is replaced where it is %s', async (_, leave) => {
    await leave();
    await swapLink(layout, 'shop' as RelativePath, COMMIT);
    expect(await inspect('shop')).toBe(COMMIT);
    expect(await readdir(layout.root)).not.toContain('.shop.gitfleet-new');
  });

  it('is refused and stays where it is a directory', async () => {
    await mkdir(join(aside(), 'theirs'), { recursive: true });
    const swapped = swapLink(layout, 'shop' as RelativePath, COMMIT);
    await expect(swapped).rejects.toMatchObject({ code: 'OCCUPIED', next: 'stall' });
    expect(await readdir(aside())).toEqual(['theirs']);
  });
});

it('a link whose name leaves no room for the one beside it is said to be too long, not to be a defect', async () => {
  const swapped = swapLink(layout, 'n'.repeat(250) as RelativePath, COMMIT);
  const error = await swapped.catch((thrown: unknown) => classify(thrown));
  expect(error).toMatchObject({ code: 'NAME_TOO_LONG', next: 'stall' });
});

describe('the parents of a link', () => {
  it('are readable where we made them, and keep their mode where they were there', async () => {
    await mkdir(at('clients'), { mode: 0o750 });
    await chmod(at('clients'), 0o750);
    const before = process.umask(0o077);
    await swapLink(layout, 'clients/a/b/shop' as RelativePath, COMMIT).finally(() => process.umask(before));
    const modes = ['clients', 'clients/a', 'clients/a/b'].map(async (name) => (await stat(at(name))).mode & 0o777);
    expect(await Promise.all(modes)).toEqual([0o750, 0o755, 0o755]);
  });
});

describe('a root that a person names by a link of their own', () => {
  it('is that directory', async () => {
    await symlink(layout.root, join(top, 'named'));
    const named = layoutOf(join(top, 'named'), layout.state, '/app/business');
    expect(await inspectLink(named, 'shop' as RelativePath, [], uid)).toBe(null);
    await swapLink(named, 'shop' as RelativePath, COMMIT);
    expect(await inspect('shop')).toBe(COMMIT);
  });
});

describe('a place that is refused and stays untouched', () => {
  it.each([['var'], ['var/state'], ['var/state/shop']])(
    'D88: %s is the state, above it or in it: RESERVED',
    async (path) => {
      await expect(inspect(path)).rejects.toMatchObject({ code: 'RESERVED', next: 'stall' });
    },
  );

  it('D88: our own directory below the root: RESERVED', async () => {
    await expect(inspect('.gitfleet/x')).rejects.toMatchObject({ code: 'RESERVED' });
  });

  it.each([
    ['to /etc', '/etc'],
    ['inside the root', '.gitfleet'],
    ['dangling', 'nowhere'],
    ['to itself', 'linked'],
  ])('D89: a parent that is a link %s: SYMLINK', async (_, to) => {
    await symlink(to, at('linked'));
    await expect(inspect('linked/shop')).rejects.toMatchObject({ code: 'SYMLINK' });
  });

  it('D90: a parent that everybody can write: OWNER', async () => {
    await mkdir(at('open'));
    await chmod(at('open'), 0o777);
    await expect(inspect('open/shop')).rejects.toMatchObject({ code: 'OWNER' });
  });

  it('D90: a parent that a group other than ours can write: OWNER', async () => {
    await mkdir(at('ours'));
    await chmod(at('ours'), 0o775);
    expect(await inspect('ours/shop')).toBe(null);
    if (uid !== 0) return; // Only root may give a directory to another group.
    await chown(at('ours'), 0, 4242);
    await chmod(at('ours'), 0o2775);
    await expect(inspect('ours/shop')).rejects.toMatchObject({ code: 'OWNER' });
    await chmod(at('ours'), 0o2755);
    expect(await inspect('ours/shop')).toBe(null);
    await chmod(at('ours'), 0o3775);
    expect(await inspect('ours/shop')).toBe(null);
  });

  it('D90: a parent of another user: OWNER', async () => {
    await mkdir(at('web'));
    await expect(inspectLink(layout, 'web/shop' as RelativePath, [], uid + 7)).resolves.toBe(null); // root may own it
    if (uid === 0) {
      await chown(at('web'), 4242, 4242);
      await expect(inspect('web/shop')).rejects.toMatchObject({ code: 'OWNER' });
    }
  });

  it('D90: a parent that is a file: NOT_DIR', async () => {
    await writeFile(at('file'), 'x');
    await expect(inspect('file/shop')).rejects.toMatchObject({ code: 'NOT_DIR' });
  });

  it('D91: a real directory with data, a file, a foreign link: OCCUPIED', async () => {
    await mkdir(at('dir'));
    await writeFile(join(at('dir'), 'data'), 'precious');
    await writeFile(at('file'), 'precious');
    await symlink('/etc', at('link'));
    for (const path of ['dir', 'file', 'link']) await expect(inspect(path)).rejects.toMatchObject({ code: 'OCCUPIED' });
    expect(await readdir(at('dir'))).toEqual(['data']);
  });

  it('D92: inside one of our links, or above one: NESTED', async () => {
    await expect(inspect('a/b', ['a'])).rejects.toMatchObject({ code: 'NESTED' });
    await mkdir(at('a'));
    await expect(inspect('a', ['a/b'])).rejects.toMatchObject({ code: 'NESTED' });
    expect(await inspect('ab', ['a'])).toBe(null);
  });
});
