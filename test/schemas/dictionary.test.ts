import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ZNODES } from '../../schemas/znodes.ts';

const ROOT = join(import.meta.dirname, '../..');
const DOC = readFileSync(join(ROOT, 'docs/dictionary.md'), 'utf8');

/** `- **word**: meaning. Where: file, name, znode`, over one line or several. */
const entries = DOC.split(/\n(?=- |\n)/)
  .filter((text) => text.startsWith('- '))
  .map((text) => text.replace(/\s+/g, ' ').trim())
  .map((text) => ({
    text,
    word: /^- \*\*(.+?)\*\*: /.exec(text)?.[1] ?? '',
    where: / Where: (.+)$/.exec(text)?.[1] ?? '',
  }));

describe('docs/dictionary.md', () => {
  it('has only entries of one form', () => {
    expect(entries.length).toBeGreaterThan(100);
    expect(entries.filter(({ word, where }) => word === '' || where === '').map(({ text }) => text)).toEqual([]);
    // Nothing that looks like an entry is passed over.
    expect(DOC.split('\n').filter((line) => /^\s*\||^\s*\*\s|^\s+- /.test(line))).toEqual([]);
  });

  it('has each word once', () => {
    const words = entries.flatMap(({ word }) => word.split(', '));
    expect(words.filter((word, n) => words.indexOf(word) !== n)).toEqual([]);
  });

  it.each(entries)('says truly where $word lives', ({ where }) => {
    const files = [...where.matchAll(/`([a-z/-]+\.ts)`(?: `(\w+)`)?/g)];
    const znode = /znode `([^`]+)`/.exec(where)?.[1];
    expect(files.length > 0 || znode !== undefined).toBe(true);
    // Whatever is quoted is a file, one of its names or a znode.
    expect(where.replace(/`[a-z/-]+\.ts`(?: `\w+`)?|znode `[^`]+`|, /g, '')).toBe('');
    for (const [, file = '', name] of files) {
      expect(existsSync(join(ROOT, file)), file).toBe(true);
      if (name) expect(readFileSync(join(ROOT, file), 'utf8')).toMatch(new RegExp(`^export .*\\b${name}\\b`, 'm'));
    }
    if (znode) expect(Object.values(ZNODES).map((row) => row.path)).toContain(znode);
  });
});
