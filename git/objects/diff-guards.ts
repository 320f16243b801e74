import type { ContentRules } from './content.ts';
import { folded, nameProblem } from './hostile-names.ts';
import { SYMLINK } from './tree.ts';
import type { DiffEntry } from './tree-diff.ts';

export const MAX_ENTRIES = 200;

/** Who writes a difference: we, file by file; git, into the same tree; or git, after all of the commit was judged anew. */
export type DiffWay = { readonly by: 'us' } | { readonly by: 'git' | 'git after a look at all'; readonly why: string };

/**
 * Pure: how a difference gets into a tree that is proved to be the other commit. We write plain files that come, change
 * and go. Symlinks are left to git; so is, with all of the commit, whatever may mean something for entries that do not
 * differ, or that only a look at all names can judge.
 */
export function wayOf(diff: readonly DiffEntry[], rules: ContentRules): DiffWay {
  const whole = (why: string): DiffWay => ({ by: 'git after a look at all', why });
  const paths = new Set<string>();
  let odd: string | null = null;
  for (const { from, to, status, path } of diff) {
    const modes = status === 'A' ? [to.mode] : status === 'D' ? [from.mode] : [from.mode, to.mode];
    if (modes.some((mode) => !KNOWN.test(mode))) return whole(`${path} is no file and no symlink`);
    if (path.includes('\ufffd') || nameProblem(path, rules)) return whole(`${path} has an odd name`);
    // New attributes may turn files that do not change at all into LFS pointers.
    if (/(^|\/)\.gitattributes$/.test(path)) return whole('attributes change');
    if (modes.includes(SYMLINK)) odd ??= `${path} is no plain file`;
    paths.add(folded(path));
  }
  if (paths.size < diff.length) return whole('names differ only in case');
  for (const path of paths) {
    for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) {
      if (paths.has(path.slice(0, at))) return whole('a file and a directory change places');
    }
  }
  return odd === null ? { by: 'us' } : { by: 'git', why: odd };
}

const KNOWN = /^(100644|100755|120000)$/;
