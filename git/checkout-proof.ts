import type { Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { CommitId } from '../schemas/values.ts';
import { type ObjectFormat, objectFormatOf } from './commit-id.ts';
import { type FlatEntry, type IndexEntry, readIndex, treeIdOf } from './index-file.ts';
import { readHead } from './proof.ts';
import type { Repository } from './repository.ts';
import type { TreeEntry } from './tree.ts';
import { treeOf } from './tree-diff.ts';
import type { WorkTree } from './work-tree.ts';

/** What a work tree of a commit must hold, made ready while git still writes it. */
export interface Expected {
  /** In the order of an index. */
  readonly entries: readonly FlatEntry[];
  readonly treeId: string;
  /** A letter for its kind before each path. */
  readonly onDisk: ReadonlySet<string>;
}

/** Null where the proof below does not know all that there is: submodules, file modes of long ago. */
export function expectedOf(entries: readonly TreeEntry[], format: ObjectFormat): Expected | null {
  const files = entries.filter(({ mode }) => mode !== DIRECTORY);
  if (!files.every(({ mode }) => letters[mode] !== undefined)) return null;
  const flat = files.map(({ mode, id, path, size }) => ({
    mode,
    id: Buffer.from(id, 'hex').toString('latin1'),
    size: size ?? 0,
    path: ASCII.test(path) ? path : Buffer.from(path).toString('latin1'),
  }));
  const onDisk = new Set(flat.map(({ mode, path }) => `${letters[mode]} ${path}`));
  return { entries: flat, treeId: treeIdOf(flat, format), onDisk };
}

const DIRECTORY = '040000';
const letters: Readonly<Record<string, string>> = { '100644': 'f', '100755': 'f', '120000': 'l' };
const ASCII = /^[\u0001-\u007f]*$/;

/**
 * Whether a tree that git's own checkout left just now, from objects that were hashed on arrival, is whole. Git writes
 * the index after the files, with the size that it saw of each when it wrote it, or when it found it unchanged; a torn
 * checkout leaves no such index. So this asks
 * - that what is expected hashes to the very tree of the commit, and that the index has just these entries, each with a
 *   file that git saw, of the size of the blob;
 * - the directories on disk: that each entry is there, of its kind, and nothing else.
 *
 * It reads no file, and stats none again: the first inspection of the release does. False means no more than that it
 * is not proved this way; a deep inspection then says what is wrong, if anything is.
 */
export async function isWholeCheckout(
  repository: Repository,
  tree: WorkTree,
  commitId: CommitId,
  expected: Expected,
): Promise<boolean> {
  const [treeId, head, index, present] = await Promise.all([
    treeOf(repository, commitId),
    readHead(tree),
    readIndex(join(tree.admin, 'index'), objectFormatOf(commitId)),
    listed(tree.directory),
  ]);
  if (expected.treeId !== treeId || head !== commitId) return false;
  if (index?.length !== expected.entries.length || present.length !== index.length) return false;
  return (
    expected.entries.every((entry, at) => isSeen(index[at] as IndexEntry, entry)) &&
    present.every((found) => expected.onDisk.has(found))
  );
}

/** An index holds the size in 32 bits. */
function isSeen(found: IndexEntry, { mode, id, size, path }: FlatEntry): boolean {
  return found.seen && found.size === size % 2 ** 32 && found.id === id && found.path === path && found.mode === mode;
}

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
