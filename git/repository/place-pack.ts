import { readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { syncDirectory, writeAside, writeDurably } from '../../runtime/durable-file.ts';
import type { CommitId } from '../../schemas/values.ts';
import { pin, type Repository } from './repository.ts';

/** A pack and its index, complete under other names. */
export interface PackAside {
  /** As the pack will be called, without its ending. */
  readonly name: string;
  readonly pack: string;
  readonly index: string;
}

/** For which of two ways the failpoints are named. */
type Way = 'copy' | 'bundle';

/**
 * Puts a pack that is proved into the store and pins its commit, in an order in which a crash leaves nothing that has
 * an effect: first the shallow mark of the commit, which means nothing on its own; then the pack and, after it, its
 * index; then the pin. Leftover files have names that stale-files.ts removes. Call it only within the store's writing
 * turn, where any lock found is stale.
 */
export async function placePack(
  repository: Repository,
  commitId: CommitId,
  aside: PackAside,
  mark: ShallowMark | null,
  way: Way,
): Promise<void> {
  const { directory } = repository;
  const packs = join(directory, 'objects', 'pack');
  if (mark) await rename(mark.aside, listOf(directory));
  await repository.failpoint(`${way}.marked`);
  await rename(aside.pack, join(packs, `${aside.name}.pack`));
  await rename(aside.index, join(packs, `${aside.name}.idx`));
  await Promise.all([syncDirectory(packs), mark && syncDirectory(directory)]);
  await repository.failpoint(`${way}.packed`);
  await pinAtOnce(repository, commitId);
  repository.fresh.add(commitId);
  await repository.failpoint(`${way}.pinned`);
}

/** A new list of the commits whose parents are absent, written beside the old one. */
export interface ShallowMark {
  readonly aside: string;
}

/** Null: the list has the commit already. */
export async function writeMark({ directory }: Repository, commitId: CommitId): Promise<ShallowMark | null> {
  const list = listOf(directory);
  const marks = await readFile(list, 'utf8').catch(absent);
  if (marks.includes(commitId)) return null;
  await writeAside(`${list}.lock`, Buffer.from(`${marks}${commitId}\n`), 0o600);
  return { aside: `${list}.lock` };
}

/** The commits whose parents are absent, a line each. */
export const readMarks = ({ directory }: Pick<Repository, 'directory'>): Promise<string> =>
  readFile(listOf(directory), 'utf8').catch(absent);

/**
 * Start-up: removes the marks of commits that never arrived because of a crash. A fetch of more history would fail on
 * them.
 */
export async function dropAbsentMarks(repository: Repository): Promise<void> {
  const list = listOf(repository.directory);
  const marks = (await readMarks(repository)).split('\n').filter((mark) => mark !== '');
  const here = await Promise.all(marks.map(async (mark) => (await repository.sizes.read(mark)) !== null));
  if (here.every(Boolean)) return;
  const kept = marks.filter((_, at) => here[at]).map((mark) => `${mark}\n`);
  if (kept.length === 0) await rm(list);
  else await writeDurably(list, kept.join(''));
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

const listOf = (directory: string): string => join(directory, 'shallow');

function absent(error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOENT') return '';
  throw error;
}
