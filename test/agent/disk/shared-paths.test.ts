import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { layoutOf } from '../../../agent/disk/layout.ts';
import { linkShared } from '../../../agent/disk/shared-paths.ts';

describe('directories of shared paths', () => {
  let top: string;
  beforeEach(async () => {
    top = await mkdtemp(join(tmpdir(), 'gitfleet-shared-'));
  });
  afterEach(() => rm(top, { recursive: true, force: true }));

  it('can be entered by every user at every level that was made, whatever the umask', async () => {
    const layout = layoutOf(join(top, 'root'), join(top, 'state'), '/app/business');
    const release = join(layout.releases, 'a'.repeat(40));
    await mkdir(release, { recursive: true });
    const before = process.umask(0o077);
    await linkShared(layout, release, ['uploads', 'var/log']).finally(() => process.umask(before));
    const modes = async (...paths: string[]) =>
      await Promise.all(paths.map(async (path) => ((await stat(path)).mode & 0o777).toString(8)));
    const shared = ['', 'uploads', 'var', 'var/log'].map((path) => join(layout.shared, path));
    expect(await modes(...shared, join(release, 'var'))).toEqual(['755', '755', '755', '755', '755']);
  });
});
