import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { TREE } from '../../schemas/znodes.ts';

const ROOT = join(import.meta.dirname, '../..');
const rows = readFileSync(join(ROOT, 'docs/dictionary.md'), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| ') && !/^\| (word|---)/.test(line))
  .map((line) => line.split('|').map((cell) => cell.trim()))
  .map(([, word, , where]) => ({ word: word ?? '', where: where ?? '' }));

describe('docs/dictionary.md', () => {
  it('has each word once', () => {
    const words = rows.map((row) => row.word);
    expect(words.filter((word, n) => words.indexOf(word) !== n)).toEqual([]);
  });

  it.each(rows)('says truly where $word lives', ({ where }) => {
    const file = /`([a-z/-]+\.ts)`(?: `(\w+)`)?/.exec(where);
    const znode = /znode `([^`]+)`/.exec(where)?.[1];
    expect(file ?? znode).toBeTruthy();
    if (file) {
      expect(existsSync(join(ROOT, file[1] as string))).toBe(true);
      const text = readFileSync(join(ROOT, file[1] as string), 'utf8');
      if (file[2]) expect(text).toMatch(new RegExp(`^export .*\\b${file[2]}\\b`, 'm'));
    }
    if (znode) expect(TREE.map((row) => row.path)).toContain(znode);
  });
});
