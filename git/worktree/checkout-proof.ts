import { type Dirent, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { CommitId } from '../../schemas/values.ts';
import type { ObjectReader } from '../objects/object-reader.ts';
import { SYMLINK } from '../objects/tree.ts';
import { treeOf } from '../objects/tree-diff.ts';
import { objectFormatOf } from '../run/commit-id.ts';
import type { Contents } from './full-checkout.ts';
import { type IndexImage, isIndexOf, treeIdOf } from './index-file.ts';
import { readHead } from './proof.ts';
import type { WorkTree } from './work-tree.ts';

/** What a work tree of a commit must hold, made ready while git still writes it. */
export interface Expected {
  readonly treeId: string;
  readonly index: IndexImage;
  /** Of each directory that has something, by its path with a slash behind it: the kinds of its entries by name. */
  readonly directories: ReadonlyMap<string, ReadonlyMap<string, Kind>>;
}

type Kind = 'file' | 'link' | 'directory';

export function expectedOf({ commitId, files, image }: Contents): Expected {
  const directories = new Map<string, Map<string, Kind>>([['', new Map()]]);
  const directory = (prefix: string): Map<string, Kind> => {
    const known = directories.get(prefix);
    if (known) return known;
    const made = new Map<string, Kind>();
    directories.set(prefix, made);
    const cut = prefix.lastIndexOf('/', prefix.length - 2) + 1;
    directory(prefix.slice(0, cut)).set(prefix.slice(cut, -1), 'directory');
    return made;
  };
  for (const { mode, path } of files) {
    const cut = path.lastIndexOf('/') + 1;
    directory(path.slice(0, cut)).set(path.slice(cut), mode === SYMLINK ? 'link' : 'file');
  }
  return { treeId: treeIdOf(files, objectFormatOf(commitId)), index: image, directories };
}

/**
 * Whether a tree that git wrote just now, from objects that were hashed on arrival, is whole. Git writes an index after
 * its files, with the time and the size that it saw of each when it wrote it, or when it found it unchanged; the
 * indexes of several gits are joined when all of them ended well. A torn tree has no such index. So this asks
 * - that what is expected hashes to the very tree of the commit, and that the index has just these entries, each with a
 *   file that git saw, of the size of the blob;
 * - the directories on disk: that each entry is there, of its kind, and nothing else.
 *
 * It reads no file, and stats none again: the first inspection of the release does. False means no more than that it
 * is not proved this way; a deep inspection then says what is wrong, if anything is.
 */
export async function isWholeCheckout(
  reader: ObjectReader,
  tree: WorkTree,
  commitId: CommitId,
  expected: Expected,
): Promise<boolean> {
  const [treeId, head, indexed, listed] = await Promise.all([
    treeOf(reader, commitId),
    readHead(tree),
    isIndexOf(join(tree.admin, 'index'), expected.index, objectFormatOf(commitId)),
    holdsJust(Buffer.from(tree.directory).toString('latin1'), expected.directories),
  ]);
  return expected.treeId === treeId && head === commitId && indexed && listed;
}

/** @param top in latin1, byte by byte. */
async function holdsJust(top: string, directories: Expected['directories']): Promise<boolean> {
  let listed = 0;
  for (const [prefix, wanted] of directories) {
    listed += 1;
    if (listed % IN_A_TURN === 0) await new Promise((resolve) => setImmediate(resolve));
    const found = list(`${top}/${prefix}`);
    const present = prefix === '' ? found?.filter(({ name }) => name !== '.git') : found;
    if (present?.length !== wanted.size) return false;
    if (!present.every((entry) => isA(entry, wanted.get(entry.name)))) return false;
  }
  return true;
}

/** Listed at once, since the way to another thread takes longer than a look; so many take about a millisecond. */
const IN_A_TURN = 64;

/** Null: it is no directory, or none that we may read. @param path its names in latin1, byte by byte. */
function list(path: string): Dirent[] | null {
  try {
    return readdirSync(Buffer.from(path, 'latin1'), { withFileTypes: true, encoding: 'latin1' });
  } catch {
    return null;
  }
}

const isA = (entry: Dirent, kind: Kind | undefined): boolean =>
  (kind === 'file' && entry.isFile()) ||
  (kind === 'directory' && entry.isDirectory()) ||
  (kind === 'link' && entry.isSymbolicLink());
