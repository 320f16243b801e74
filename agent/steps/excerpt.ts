/**
 * The part of a command's output that the reason of its failure quotes: whole lines, the first ones and the last ones,
 * because some tools print the cause at the top and others at the end. Empty lines are left out, and long lines are cut
 * at a word. Pure.
 */
export function excerptOf(output: string, maxCharacters = 600): string {
  const lines = output
    .split('\n')
    .map((line) => cutAtWord(line.trim(), maxCharacters / 3))
    .filter((line) => line !== '');
  const all = lines.join('\n');
  if (all.length <= maxCharacters) return all;
  const head = whileItFits(lines, maxCharacters / 3);
  const tail = whileItFits(lines.slice(head.length).reverse(), (maxCharacters * 2) / 3).reverse();
  const left = lines.length - head.length - tail.length;
  return [...head, `... ${left} ${left === 1 ? 'line' : 'lines'} ...`, ...tail].join('\n');
}

function whileItFits(lines: readonly string[], max: number): string[] {
  let length = 0;
  const fits = lines.findIndex((line) => {
    length += line.length + 1;
    return length > max;
  });
  return lines.slice(0, fits === -1 ? lines.length : fits);
}

function cutAtWord(line: string, max: number): string {
  if (line.length <= max) return line;
  const cut = line.slice(0, max - 4);
  const space = cut.lastIndexOf(' ');
  return `${space > 0 ? cut.slice(0, space) : cut} ...`;
}
