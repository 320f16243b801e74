import type { ContentRules } from './content.ts';
import { nameProblem } from './hostile-names.ts';
import type { DiffEntry } from './tree-diff.ts';

export const MOST_ENTRIES = 200;

/**
 * Pure: why a difference is not for the diff engine but for git's own checkout, or null. The engine knows plain files
 * that come, change and go, few of them, and nothing whose meaning depends on another entry.
 */
export function whyNotByDiff(diff: readonly DiffEntry[], rules: ContentRules): string | null {
  const folded = new Set<string>();
  for (const { from, to, status, path } of diff) {
    if (!/^[ADM]$/.test(status)) return `${path} changes its kind`;
    const modes = status === 'A' ? [to.mode] : status === 'D' ? [from.mode] : [from.mode, to.mode];
    if (modes.some((mode) => mode !== '100644' && mode !== '100755')) return `${path} is no plain file`;
    if (path.includes('\ufffd') || nameProblem(path, rules)) return `${path} has an odd name`;
    // New attributes may turn files that do not change at all into LFS pointers.
    if (/(^|\/)\.gitattributes$/.test(path)) return 'attributes change';
    folded.add(path.normalize('NFC').toLowerCase());
  }
  if (folded.size < diff.length) return 'names differ only in case';
  for (const path of folded) {
    for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) {
      if (folded.has(path.slice(0, at))) return 'a file and a directory change places';
    }
  }
  return null;
}
