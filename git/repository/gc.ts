import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Repository } from './repository.ts';

const MAX_PACKS = 40;

/**
 * Each fetch adds a pack and a line to the shallow list, and an unpinned commit leaves its objects. Git's own gc clears
 * all three; pins and the HEAD and index of every work tree keep what they need. Objects younger than an hour stay, in
 * case they are wanted again soon. A second or two on a large store: for idle time.
 */
export async function gc(repository: Repository, signal: AbortSignal): Promise<void> {
  const names = await readdir(join(repository.directory, 'objects', 'pack')).catch(() => []);
  if (names.filter((name) => name.endsWith('.pack')).length <= MAX_PACKS) return;
  await repository.git.output(['gc', '--quiet', '--prune=1.hour.ago'], { gitDir: repository.directory, signal });
}
