import type { Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { CommitId } from '../schemas/values.ts';
import { objectFormatOf } from './commit-id.ts';
import { type IndexEntry, readIndex, treeIdOf } from './index-file.ts';
import { readHead } from './proof.ts';
import type { Repository } from './repository.ts';
import { treeOf } from './tree-diff.ts';
import type { WorkTree } from './work-tree.ts';

/**
 * Whether a tree that git's own checkout left just now, from objects that were hashed on arrival, is whole. Git writes
 * the index after the files, with the size that it saw of each when it wrote it, or when it found it unchanged; so this
 * asks
 * - the index: that its entries hash to the very tree of the commit, that git saw a file for each, and that together
 *   these have as many bytes as the blobs; a torn checkout leaves no such index;
 * - the directories on disk: that each entry is there, of its kind, and nothing else.
 *
 * It reads no file, and stats none again: the first inspection of the release does. False means no more than that it
 * is not proved this way; a deep inspection then says what is wrong, if anything is.
 * @param bytes of all blobs, null: not known.
 */
export async function isWholeCheckout(
  repository: Repository,
  tree: WorkTree,
  commitId: CommitId,
  bytes: number | null,
): Promise<boolean> {
  const format = objectFormatOf(commitId);
  const [entries, treeId, head, present] = await Promise.all([
    readIndex(join(tree.admin, 'index'), format),
    treeOf(repository, commitId),
    readHead(tree),
    listed(tree.directory),
  ]);
  if (entries === null || head !== commitId || !entries.every(isPlain)) return false;
  if (bytes !== null && entries.reduce((sum, { size }) => sum + size, 0) !== bytes) return false;
  if (treeIdOf(entries, format) !== treeId || present.length !== entries.length) return false;
  const expected = new Set(entries.map(({ mode, path }) => (mode === SYMLINK ? `l ${path}` : `f ${path}`)));
  return present.every((found) => expected.has(found));
}

const isPlain = ({ mode, seen }: IndexEntry) => seen && (mode.startsWith('100') || mode === SYMLINK);

const SYMLINK = '120000';

/** All that lies below `directory`, a letter for its kind before each path; of directories only empty ones. */
async function listed(directory: string): Promise<string[]> {
  const found: string[] = [];
  const top = Buffer.from(`${directory}/`).toString('latin1');
  const walk = async (prefix: string): Promise<void> => {
    const present = await readdir(Buffer.from(top + prefix, 'latin1'), { withFileTypes: true, encoding: 'latin1' });
    if (present.length === 0) found.push(`d ${prefix}`);
    const deeper: Promise<void>[] = [];
    for (const entry of present) {
      if (entry.isDirectory()) deeper.push(walk(`${prefix}${entry.name}/`));
      else if (prefix !== '' || entry.name !== '.git') found.push(`${letterOf(entry)} ${prefix}${entry.name}`);
    }
    await Promise.all(deeper);
  };
  await walk('');
  return found;
}

const letterOf = (entry: Dirent) => (entry.isFile() ? 'f' : entry.isSymbolicLink() ? 'l' : '?');
