import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Repository } from './repository.ts';

const MAX_PACKS = 40;

/**
 * Each fetch adds a pack and a line to the shallow list, and an unpinned commit leaves its objects behind. Git's own gc
 * cleans up all three; pins and the HEAD and index of every work tree keep what they need. Objects younger than an hour
 * stay, in case they are needed again soon. It takes a second or two in a large store, so run it when idle.
 * @param room `none left`: the disk is full, so packs without a needed object are removed now. Git's gc would first
 * write what it keeps, and leave half a pack if that does not fit.
 */
export async function gc(repository: Repository, signal: AbortSignal, room?: 'none left'): Promise<void> {
  const call = { gitDir: repository.directory, signal };
  if (room) {
    await dropDeadPacks(repository, signal);
    return;
  }
  const packs = (await filesOf(repository)).filter((name) => name.endsWith('.pack'));
  if (packs.length > MAX_PACKS) await repository.git.output(['gc', '--quiet', '--prune=1.hour.ago'], call);
}

/**
 * Deletes the packs of which no object is needed any more; this needs no disk space. Each fetch made one pack, so
 * unpinned commits often leave such packs.
 */
async function dropDeadPacks({ git, directory }: Repository, signal: AbortSignal): Promise<void> {
  const call = { gitDir: directory, signal };
  const reachable = ['rev-list', '--objects', '--no-object-names', '--all', '--indexed-objects'];
  const needed = new Set(linesOf(await git.output(reachable, call)));
  const pack = join(directory, 'objects', 'pack');
  for (const name of await readdir(pack)) {
    if (!/^pack-[0-9a-f]+\.idx$/.test(name)) continue;
    const listed = await git.output(['show-index'], { ...call, input: await readFile(join(pack, name)) });
    // Lines of "offset id (crc)".
    if (linesOf(listed).some((line) => needed.has(line.split(' ')[1] ?? ''))) continue;
    const stem = join(pack, name.slice(0, -'.idx'.length));
    for (const end of ['.idx', '.rev', '.bitmap', '.pack']) await rm(stem + end, { force: true });
  }
}

const linesOf = (text: string): string[] => text.split('\n').filter((line) => line !== '');

const filesOf = ({ directory }: Repository): Promise<string[]> =>
  readdir(join(directory, 'objects', 'pack')).catch(() => []);
