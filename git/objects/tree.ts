import type { Code } from '../../runtime/codes.ts';
import type { CommitId } from '../../schemas/values.ts';
import { gitError } from '../run/errors.ts';
import type { ObjectSource } from './object-reader.ts';

export const DIRECTORY = '040000';
export const SYMLINK = '120000';
export const SUBMODULE = '160000';

export interface TreeEntry {
  /** As git writes it: 100644, 100755, 120000 (symlink), 160000 (submodule), 040000. */
  readonly mode: string;
  readonly id: string;
  readonly path: string;
  /** Of a blob; null for other kinds, or if unknown. */
  readonly size: number | null;
}

/**
 * Every entry of a commit's tree, directories included. A few kilobytes of objects can describe billions of paths, so
 * git is stopped once its list exceeds what `most` entries may need.
 */
export async function readTree(
  { directory, git }: Pick<ObjectSource, 'directory' | 'git'>,
  commitId: CommitId,
  most: number,
  signal: AbortSignal,
): Promise<TreeEntry[]> {
  const maxBytes = most * 160;
  const tooMany = (cause?: unknown) => {
    const hint = 'publish a smaller tree, or raise agent.content.maxEntries on every server';
    const reason = `the tree has more than ${most} entries, or its list more than ${maxBytes} bytes`;
    return gitError('TOO_LARGE', reason, hint, cause);
  };
  const args = ['ls-tree', '-r', '-t', '-l', '-z', '--full-tree', '--end-of-options', commitId];
  const call = { gitDir: directory, signal, maxBytes };
  const listed = await git.output(args, call).catch((error: { code?: Code }) => {
    throw error?.code === 'TOO_LARGE' ? tooMany(error) : error;
  });
  const entries: TreeEntry[] = [];
  for (let at = 0, end = listed.indexOf('\0'); end >= 0; at = end + 1, end = listed.indexOf('\0', at)) {
    const tab = listed.indexOf('\t', at);
    const mode = listed.slice(at, at + 6);
    // Mode, kind, id, size: `100644 blob <id>     123`; the kind is `blob`, `tree` or `commit`.
    const idAt = at + (mode === SUBMODULE ? 14 : 12);
    const idEnd = idAt + commitId.length;
    const size = mode === SUBMODULE || mode === DIRECTORY ? null : Number(listed.slice(idEnd, tab));
    // Git prints BAD if it cannot read the blob.
    if (Number.isNaN(size))
      throw gitError('STORE_BROKEN', `the size of ${JSON.stringify(listed.slice(tab + 1, end))} is unknown`);
    entries.push({ mode, id: listed.slice(idAt, idEnd), path: listed.slice(tab + 1, end), size });
    if (entries.length > most) throw tooMany();
  }
  return entries;
}
