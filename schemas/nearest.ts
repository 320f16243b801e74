/** The known name that somebody most likely meant: few letters differ, or only case and separators. Null: none is near. */
export function nearest(name: string, known: readonly string[]): string | null {
  const bare = (text: string) => text.toLowerCase().replace(/[-_.]/g, '');
  const wanted = bare(name.slice(0, 64));
  const ranked = known
    .map((each) => ({ each, distance: editDistance(wanted, bare(each)) }))
    .sort((a, b) => a.distance - b.distance);
  const best = ranked[0];
  return best && best.distance <= Math.max(1, Math.floor(wanted.length / 3)) ? best.each : null;
}

/** Levenshtein's: insertions, deletions and replacements, one row at a time. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, n) => n);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}
