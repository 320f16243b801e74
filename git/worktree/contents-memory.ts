import type { CommitId } from '../../schemas/values.ts';
import type { Difference } from '../objects/difference.ts';
import { type Contents, contentsOfFiles, flatEntry } from './full-checkout.ts';

/**
 * The files of the commit that was judged last. What follows a deployment (the next spare, the inspection of the
 * release) needs them, and a deployment judges only a difference: so they are made from those of the commit before, and
 * no git has to list a tree. Only a hint: who uses them compares their hash with the tree of the commit.
 */
export interface ContentsMemory {
  /** Null: not known, list the tree. */
  of(commitId: CommitId): Contents | null;
  /** The whole commit was judged. */
  keep(contents: Contents | null): void;
  /** A judged difference was written. Without the commit that it starts from, nothing is known. */
  follow(difference: Difference): void;
}

/** Beyond that, a list in memory costs more than it saves. */
const MAX_FILES = 10_000;

export function createContentsMemory(): ContentsMemory {
  let known: Contents | null = null;
  const keep = (contents: Contents | null) => {
    known = contents !== null && contents.files.length <= MAX_FILES ? contents : null;
  };
  return {
    of: (commitId) => (known?.commitId === commitId ? known : null),
    keep,
    follow(difference) {
      if (known?.commitId === difference.to) return;
      keep(known?.commitId === difference.from ? after(known, difference) : null);
    },
  };
}

function after({ files }: Contents, { diff, blobs, to }: Difference): Contents | null {
  const changed = new Set(diff.map(({ path }) => Buffer.from(path).toString('latin1')));
  const next = files.filter(({ path }) => !changed.has(path));
  for (const { path, status, to: side } of diff) {
    if (status === 'D') continue;
    const entry = flatEntry({ ...side, path, size: blobs.get(side.id)?.length ?? null });
    if (entry === null) return null;
    next.push(entry);
  }
  next.sort((a, b) => (a.path < b.path ? -1 : 1));
  return contentsOfFiles(next, to);
}
