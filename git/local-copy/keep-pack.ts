import { join } from 'node:path';
import { writeAside } from '../../runtime/durable-file.ts';
import type { CommitId } from '../../schemas/values.ts';
import { placePack, writeMark } from '../repository/place-pack.ts';
import type { Repository } from '../repository/repository.ts';
import type { Pack } from './pack-writer.ts';

/**
 * Writes a pack of ours and puts it into the store (place-pack.ts). Call it only within the store's writing turn.
 * @param cut whether the commit has parents, which the store then does not have.
 */
export async function keepPack(repository: Repository, commitId: CommitId, made: Pack, cut: boolean): Promise<void> {
  const packs = join(repository.directory, 'objects', 'pack');
  const aside = { name: made.name, pack: join(packs, 'tmp_pack_gitfleet'), index: join(packs, 'tmp_idx_gitfleet') };
  const written = await Promise.allSettled([
    writeAside(aside.pack, made.pack, 0o444),
    writeAside(aside.index, made.index, 0o444),
    cut ? writeMark(repository, commitId) : null,
  ]);
  for (const each of written) if (each.status === 'rejected') throw each.reason;
  await repository.failpoint('copy.written');
  const mark = written[2].status === 'fulfilled' ? written[2].value : null;
  await placePack(repository, commitId, aside, mark, 'copy');
}
