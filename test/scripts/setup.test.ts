import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { packagesStale } from '../../scripts/setup.mjs';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'gitfleet-setup-'));
  await mkdir(join(root, 'node_modules'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

const WANTED = {
  '': { name: 'gitfleet', version: '0.1.0' },
  'node_modules/zod': { version: '4.6.7', integrity: 'sha512-a' },
  'node_modules/pino': { version: '10.4.0', integrity: 'sha512-b' },
  'node_modules/biome-darwin': { version: '2.5.15', integrity: 'sha512-c', optional: true },
};
/** As `npm ci` leaves it: without the project, and without what other platforms need. */
const { '': _, 'node_modules/biome-darwin': elsewhere, ...HERE } = WANTED;

async function stale(installed: object | null): Promise<boolean> {
  await writeFile(join(root, 'package-lock.json'), JSON.stringify({ packages: WANTED }));
  const note = join(root, 'node_modules/.package-lock.json');
  if (installed) await writeFile(note, JSON.stringify({ packages: installed }));
  return packagesStale(root);
}

describe('packages', () => {
  it('are there after an npm ci by hand', async () => {
    expect(await stale(HERE)).toBe(false);
    expect(packagesStale()).toBe(false); // This test runs on them.
  });

  it.each([
    ['nothing was installed', null],
    ['one is missing', { 'node_modules/zod': HERE['node_modules/zod'] }],
    ['one has another version', { ...HERE, 'node_modules/zod': { version: '4.6.6', integrity: 'sha512-a' } }],
    ['one has other content', { ...HERE, 'node_modules/zod': { version: '4.6.7', integrity: 'sha512-x' } }],
    ['one is not wanted any more', { ...HERE, 'node_modules/left': { version: '1.0.0' } }],
    ['an optional one is outdated', { ...HERE, 'node_modules/biome-darwin': { ...elsewhere, version: '2.5.14' } }],
  ])('are stale where %s', async (_why, installed) => {
    expect(await stale(installed)).toBe(true);
  });
});
