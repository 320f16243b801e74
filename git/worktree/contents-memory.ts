import type { CommitId } from '../../schemas/values.ts';
import type { Difference } from '../objects/difference.ts';
import type { TreeEntry } from '../objects/tree.ts';
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
  /** What leads from `known` to the newest commit. The list is made only when it is needed, not before the swap. */
  let steps: Step[] = [];
  const newest = () => steps.at(-1)?.to ?? known?.commitId;
  const keep = (contents: Contents | null) => {
    known = contents !== null && contents.files.length <= MAX_FILES ? contents : null;
    steps = [];
  };
  return {
    of(commitId) {
      if (newest() !== commitId) return null;
      keep(steps.reduce(after, known));
      return known;
    },
    keep,
    follow(difference) {
      if (newest() === difference.to) return;
      if (newest() !== difference.from || steps.length === MAX_STEPS) return keep(null);
      steps.push(stepOf(difference));
    },
  };
}

const MAX_STEPS = 20;

/** A difference without the content of its files. */
interface Step {
  readonly to: CommitId;
  readonly gone: readonly string[];
  readonly entries: readonly TreeEntry[];
}

function stepOf({ diff, blobs, to }: Difference): Step {
  const left = diff.filter(({ status }) => status !== 'D');
  const sizeOf = (id: string) => blobs.get(id)?.length ?? null;
  const entries = left.map(({ path, to: side }) => ({ ...side, path, size: sizeOf(side.id) }));
  return { to, gone: diff.map(({ path }) => path), entries };
}

function after(before: Contents | null, { to, gone, entries }: Step): Contents | null {
  if (before === null) return null;
  const changed = new Set(gone.map((path) => Buffer.from(path).toString('latin1')));
  const next = before.files.filter(({ path }) => !changed.has(path));
  for (const entry of entries) {
    const flat = flatEntry(entry);
    if (flat === null) return null;
    next.push(flat);
  }
  next.sort((a, b) => (a.path < b.path ? -1 : 1));
  return contentsOfFiles(next, to);
}
