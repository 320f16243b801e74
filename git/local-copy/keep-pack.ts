import { readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { syncDirectory, writeAside, writeDurably } from '../../runtime/durable-file.ts';
import type { CommitId } from '../../schemas/values.ts';
import { pin, type Repository } from '../repository/repository.ts';
import type { Pack } from './pack-writer.ts';

/**
 * Puts a pack of ours into the store and pins its commit, in an order in which a crash leaves nothing that has an
 * effect: first the shallow mark of the commit, which means nothing on its own; then the pack and, after it, its index;
 * then the pin. Leftover temporary files have names that stale-files.ts removes. Call it only within the store's
 * writing turn, where any lock found is stale.
 */
export async function keepPack(repository: Repository, commitId: CommitId, made: Pack, cut: boolean): Promise<void> {
  const { directory } = repository;
  const packs = join(directory, 'objects', 'pack');
  const list = join(directory, 'shallow');
  const marks = cut ? await readFile(list, 'utf8').catch(absent) : '';
  const marking = cut && !marks.includes(commitId);
  const [pack, index] = ['pack', 'idx'].map((kind) => ({
    aside: join(packs, `tmp_${kind}_gitfleet`),
    name: join(packs, `${made.name}.${kind}`),
  })) as [Aside, Aside];
  const written = await Promise.allSettled([
    writeAside(pack.aside, made.pack, 0o444),
    writeAside(index.aside, made.index, 0o444),
    marking && writeAside(`${list}.lock`, Buffer.from(`${marks}${commitId}\n`), 0o600),
  ]);
  for (const each of written) if (each.status === 'rejected') throw each.reason;
  await repository.failpoint('copy.written');
  if (marking) await rename(`${list}.lock`, list);
  await repository.failpoint('copy.marked');
  await rename(pack.aside, pack.name);
  await rename(index.aside, index.name);
  await Promise.all([syncDirectory(packs), marking && syncDirectory(directory)]);
  await repository.failpoint('copy.packed');
  await pinAtOnce(repository, commitId);
  repository.fresh.add(commitId);
  await repository.failpoint('copy.pinned');
}

/**
 * Start-up: removes the marks of commits that never arrived because of a crash. A fetch of more history would fail on
 * them.
 */
export async function dropAbsentMarks({ directory, sizes }: Repository): Promise<void> {
  const list = join(directory, 'shallow');
  const marks = (await readFile(list, 'utf8').catch(absent)).split('\n').filter((mark) => mark !== '');
  const here = await Promise.all(marks.map(async (mark) => (await sizes.read(mark)) !== null));
  if (here.every(Boolean)) return;
  const kept = marks.filter((_, at) => here[at]).map((mark) => `${mark}\n`);
  if (kept.length === 0) await rm(list);
  else await writeDurably(list, kept.join(''));
}

interface Aside {
  readonly aside: string;
  readonly name: string;
}

/**
 * Writes the ref file directly. If its directory is missing (all refs packed, or another ref format), git writes the
 * ref.
 */
async function pinAtOnce(repository: Repository, commitId: CommitId): Promise<void> {
  const ref = join(repository.directory, 'refs', 'pins', commitId);
  try {
    await writeAside(`${ref}.lock`, Buffer.from(`${commitId}\n`), 0o600);
    await rename(`${ref}.lock`, ref);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    await pin(repository, commitId);
  }
}

function absent(error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOENT') return '';
  throw error;
}
