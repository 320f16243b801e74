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

/** What a work tree of a commit must contain, computed while git still writes it. */
export interface Expected {
  readonly treeId: string;
  readonly index: IndexImage;
  /** For each non-empty directory, keyed by its path with a trailing slash: the kinds of its entries by name. */
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
 * Whether a tree that git has just written, from objects that were hashed on arrival, is whole. Git writes an index
 * after its files, with the time and size of each file as it wrote it or found it unchanged; the indexes of several git
 * processes are joined after all of them succeeded. A torn tree has no such index. So this checks
 * - that the expected entries hash to the tree of the commit, and that the index has exactly these entries, each with a
 *   file that git saw, of the size of the blob;
 * - that the directories on disk have exactly these entries, each of its kind.
 *
 * It neither reads nor stats any file; the first inspection of the release does. False only means that the tree is not
 * proved this way; a deep inspection then finds what is wrong, if anything.
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

/**
 * Whether the directories on disk have exactly these entries, each of its kind.
 * @param top as latin1, one character per byte.
 */
export async function holdsJust(top: string, directories: Expected['directories']): Promise<boolean> {
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

/**
 * Directories to list synchronously in a row, about a millisecond: a listing takes less time than a switch to another
 * thread.
 */
const IN_A_TURN = 64;

/** Null: it is no directory, or we may not read it. @param path as latin1, one character per byte. */
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
