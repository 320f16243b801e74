/**
 * The known name that was most likely meant: abbreviated, with few wrong letters, or in another case. Null: none is
 * close.
 */
export function suggest(name: string, known: readonly string[]): string | null {
  const bare = (text: string) => text.toLowerCase().replace(/[-_.]/g, '');
  const wanted = bare(name.slice(0, 64));
  const enough = wanted.length < 4 ? 1 : Math.max(2, Math.floor(wanted.length / 3));
  const distance = (each: string) =>
    wanted.length >= 3 && bare(each).startsWith(wanted) ? 0.5 : editDistance(wanted, bare(each));
  const [best] = known.map((each) => ({ each, far: distance(each) })).sort((a, b) => a.far - b.far);
  return best && best.far <= enough ? best.each : null;
}

/** The Levenshtein distance: insertions, deletions and replacements, one row at a time. */
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
